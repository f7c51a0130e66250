"""LR finder."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness import (
    Claim,
    DataError,
    Feature,
    content_key,
    read_json,
    register,
    run_range_test,
    sealed,
    suggest,
    unsealed,
    write_json,
)

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Run

SECONDS_A_DAY = 86_400
FORMAT = 3


class CachedRate(BaseModel):
    """A cache entry; what is no such entry is not used."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    format: int = Field(ge=FORMAT, le=FORMAT)
    rate: float = Field(gt=0)
    confidence: float = Field(ge=0, le=1)
    reason: str = Field(max_length=200)
    created: float = Field(ge=0)


@register
class LRFinder(Feature):
    """Choose the learning rate by an LR range test before training, within safety caps.

    Why: the best rate differs by model, batch size and loss; a test of some tens of steps finds
    its order of magnitude. The test trains at growing rates, smooths the loss, skips both ends
    and takes the rate of steepest descent; weights, optimizer and random generators are put
    back afterwards. A curve that cannot be told from noise gives the conservative ``fallback``;
    a rate outside of ``floor`` and ``cap`` is moved to the nearer one. Either way the run says
    why.

    When it hurts: on short schedules a rate that is right for the first steps is too high for
    the last ones; and the test costs ``steps`` steps, about half an epoch on small data.

    Known limitations: the steepest descent of so short a test is often that of the last layer's
    wrong bias, at 1e-4 to 5e-4, where 12 epochs of the built-in models learn little; hence the
    floor, which lets the test raise the rate more easily than lower it. The result is cached by
    content (model, arm, settings, seed, data, code and input files of the arm's features) for
    ``expiry_days``; after a change of the model's own code use another ``salt``.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017.
    """

    name: ClassVar[str] = "lr_finder"
    claim: ClassVar[Claim] = Claim.QUALITY

    lowest: float = Field(1e-6, gt=0, le=1, description="first learning rate that is tried")
    highest: float = Field(1e-1, gt=0, le=100, description="last learning rate that is tried")
    steps: int = Field(60, ge=10, le=10_000, description="steps of the test")
    floor: float = Field(1e-3, ge=0, le=10, description="smallest learning rate that is accepted")
    cap: float = Field(5e-3, gt=0, le=10, description="largest learning rate that is accepted")
    fallback: float = Field(1e-3, gt=0, le=10, description="rate where the test is not trusted")
    expiry_days: float = Field(30.0, ge=0, description="days a cached result is used; 0 never")
    salt: str = Field("", max_length=64, description="change it to set cached results aside")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lowest >= self.highest:
            raise ValueError("lowest must be below highest")
        if self.floor > self.cap:
            raise ValueError("floor must not be above cap")
        return self

    def learning_rate(self, run: Run) -> float:
        """The cached rate where there is a fresh one, else that of a new test."""
        path, now = self._path(run), time.time()
        entry = self._cached(path, now) if path else None
        if entry is None:
            entry = self._measured(run, now)
            if path:
                self._keep(run, path, entry)
        run.say(f"lr_finder: {entry.rate:.2e} ({entry.reason}; confidence {entry.confidence:.2f})")
        return entry.rate

    def _measured(self, run: Run, now: float) -> CachedRate:
        test = run_range_test(run, lowest=self.lowest, highest=self.highest, steps=self.steps)
        found = suggest(test, cap=self.cap, floor=self.floor, fallback=self.fallback)
        return CachedRate(
            format=FORMAT,
            rate=found.rate,
            confidence=found.confidence,
            reason=found.reason,
            created=now,
        )

    def _path(self, run: Run) -> Path | None:
        if run.cache is None or not self.expiry_days:
            return None
        sources = [[type(each).source_key(), each.inputs_key()] for each in run.arm]
        key = content_key([run.configuration(), self.model_dump(mode="json"), sources])
        return run.cache / self.name / f"{key}.json"

    def _cached(self, path: Path, now: float) -> CachedRate | None:
        if not path.exists():
            return None
        try:
            # A bit that flips on the disk may leave another rate that is as possible.
            entry = CachedRate.model_validate(unsealed(read_json(path)))
        except (DataError, ValueError):
            return None
        fresh = 0 <= now - entry.created <= self.expiry_days * SECONDS_A_DAY
        possible = min(self.floor, self.fallback) <= entry.rate <= self.cap
        return entry if fresh and possible else None

    def _keep(self, run: Run, path: Path, entry: CachedRate) -> None:
        try:
            write_json(path, sealed(entry.model_dump()))
        except OSError as error:
            run.say(f"lr_finder: the result is not cached: {error.strerror}")
