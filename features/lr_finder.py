"""LR finder."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness import (
    Claim,
    DataError,
    Feature,
    content_key,
    read_json,
    register,
    run_range_test,
    suggest,
    write_json,
)

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Run

SECONDS_A_DAY = 86_400
FORMAT = 1


@register
class LRFinder(Feature):
    """Choose the learning rate by an LR range test before training, within safety caps.

    Why: the best rate differs by model, batch size and loss; a test of some tens of steps finds
    its order of magnitude. The test trains at growing rates, smooths the loss, skips both ends
    and takes the rate of steepest descent; weights, optimizer and random generators are put
    back afterwards. A curve that cannot be trusted gives the conservative ``fallback``; a rate
    above ``cap`` is cut to it. Either way the run says why.

    When it hurts: on short schedules a rate that is right for the first steps is too high for
    the last ones; and the test costs ``steps`` steps, about half an epoch on small data.

    Known limitations: the result is cached by content (model, arm, settings, seed, data) for
    ``expiry_days``; a change of the code of the test itself needs another ``salt``.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017.
    """

    name: ClassVar[str] = "lr_finder"
    claim: ClassVar[Claim] = Claim.QUALITY

    lowest: float = Field(1e-6, gt=0, le=1, description="first learning rate that is tried")
    highest: float = Field(1e-1, gt=0, le=100, description="last learning rate that is tried")
    steps: int = Field(60, ge=10, le=10_000, description="steps of the test")
    cap: float = Field(5e-3, gt=0, le=10, description="largest learning rate that is accepted")
    fallback: float = Field(1e-3, gt=0, le=10, description="rate where the test is not trusted")
    expiry_days: float = Field(30.0, ge=0, description="days a cached result is used; 0 never")
    salt: str = Field("", max_length=64, description="change it to set cached results aside")

    def learning_rate(self, run: Run) -> float:
        """The cached rate where there is a fresh one, else that of a new test."""
        path = self._path(run)
        rate = self._cached(path, time.time()) if path else None
        if rate is not None:
            return self._told(run, rate)
        test = run_range_test(run, lowest=self.lowest, highest=self.highest, steps=self.steps)
        found = suggest(test, cap=self.cap, fallback=self.fallback)
        entry = {
            "format": FORMAT,
            "rate": found.rate,
            "confidence": found.confidence,
            "reason": found.reason,
            "created": time.time(),
        }
        if path:
            write_json(path, entry)
        return self._told(run, entry)

    def _path(self, run: Run) -> Path | None:
        if run.cache is None or not self.expiry_days:
            return None
        key = content_key([run.configuration(), self.model_dump(mode="json")])
        return run.cache / self.name / f"{key}.json"

    def _cached(self, path: Path, now: float) -> dict[str, Any] | None:
        if not path.exists():
            return None
        try:
            entry: dict[str, Any] = read_json(path)
            fresh = 0 <= now - float(entry["created"]) <= self.expiry_days * SECONDS_A_DAY
            usable = entry["format"] == FORMAT and 0 < float(entry["rate"]) <= max(
                self.cap, self.fallback
            )
        except (DataError, KeyError, TypeError, ValueError):
            return None
        return entry if fresh and usable else None

    def _told(self, run: Run, entry: dict[str, Any]) -> float:
        run.say(
            f"lr_finder: {float(entry['rate']):.2e} ({entry['reason']}; "
            f"confidence {float(entry['confidence']):.2f})"
        )
        return float(entry["rate"])
