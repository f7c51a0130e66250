"""An executor whose trials are shared with other machines through objects below a URL."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from harness.errors import StoreError
from harness.matrix.executor import Outcome
from harness.training.checkpoint import LAST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from harness.matrix.blocks import TimingSettings
    from harness.matrix.executor import Blocks, Executor
    from harness.matrix.spec import TrialSpec
    from harness.sharing.claims import Claims
    from harness.sharing.exchange import Exchange

LOOK: Final = 10.0
"""Seconds between two looks at what the others do."""

SAFE: Final = 300.0
"""Seconds between two uploads of a running trial's checkpoint: what a lost machine costs."""


class SharedExecutor:
    """Runs trials by another executor, and neither twice nor in vain.

    A trial that another machine trains is left to it and its result taken over; results are given
    away as soon as they are there; an interrupted trial goes on where its checkpoint says,
    wherever that was written. While the shared results cannot be reached, this machine goes on
    alone and sends later what it found.

    Args:
        inner: runs the trials.
        exchange: brings results in and out.
        claims: tell who trains what.
        tell: told what a user should know, one sentence each.
        clock: seconds that only go forward.
    """

    def __init__(
        self, inner: Executor, exchange: Exchange, claims: Claims, tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._inner, self._exchange, self._claims = inner, exchange, claims
        self._tell, self._clock = tell, clock
        self._elsewhere: frozenset[str] = frozenset()
        self._looked = -LOOK
        self._safe: dict[str, tuple[float, float]] = {}
        self._told: set[str] = set()
        self._unsent: set[str] = set()
        self._lost = False

    @property
    def free(self) -> int:
        """Trials that can be started now."""
        return self._inner.free

    @property
    def running(self) -> frozenset[str]:
        """Keys of the trials under way here."""
        return self._inner.running

    @property
    def elsewhere(self) -> frozenset[str]:
        """Keys of the trials that other machines train, as of the last look."""
        return self._elsewhere

    def start(self, spec: TrialSpec, data: Path) -> bool:
        """Start a trial unless another machine has claimed it; from its checkpoint if there is one.

        Raises:
            OSError: if the disk is full.
        """
        taken = True
        with self._alone_if_lost():
            taken = self._claims.take(spec.key)
            if taken:
                self._exchange.pull_work(spec.key)
        if not taken:
            self._elsewhere |= {spec.key}
            return False
        self._say_refused()
        if not self._inner.start(spec, data):
            self._forget(spec.key)
            return False
        self._safe[spec.key] = (self._clock(), 0.0)
        return True

    def wait(self, seconds: float = 0.5) -> list[Outcome]:
        """Wait at most so long for trials to end, here or elsewhere.

        Raises:
            OSError: if the disk is full.
        """
        outcomes = self._inner.wait(seconds)
        for outcome in outcomes:
            self._give(outcome)
        now = self._clock()
        if now - self._looked >= LOOK:
            self._looked = now
            with self._alone_if_lost(whole=True):
                self._claims.renew()
                outcomes += self._look()
                for key in sorted(self._unsent):
                    self._send(key)
                self._save()
        return outcomes

    def _look(self) -> list[Outcome]:
        """Results that have come since the last look, as if they had ended now."""
        store = self._exchange.store
        # Claims first: who gives one back has given the result away before.
        self._elsewhere = self._claims.look()
        taken = self._exchange.pull_trials()
        self._say_refused()
        ended = []
        for key in taken:
            if key in self._inner.running:
                self._inner.cancel(key)
                self._forget(key)
            ended.append(Outcome(key, "finished", store.result(key).wall_seconds))
        return ended

    def _give(self, outcome: Outcome) -> None:
        if outcome.status == "finished":
            self._unsent.add(outcome.key)
            with self._alone_if_lost():
                self._send(outcome.key)
        elif outcome.status == "damaged":  # what was shared may be what was damaged
            with self._alone_if_lost():
                self._exchange.drop_work(outcome.key)
        self._forget(outcome.key)

    def _send(self, key: str) -> None:
        self._exchange.push_trial(key)
        self._unsent.discard(key)

    def _forget(self, key: str) -> None:
        self._safe.pop(key, None)
        with self._alone_if_lost():
            self._claims.release(key)

    @contextmanager
    def _alone_if_lost(self, *, whole: bool = False) -> Iterator[None]:
        """Go on when the shared results cannot be reached, and say so when that begins and ends.

        Args:
            whole: whether what is done within reaches them for certain.
        """
        try:
            yield
        except StoreError as error:
            if not self._lost:
                self._tell(f"going on alone: {error}")
            self._lost = True
        else:
            if self._lost and whole:
                self._tell("the shared results can be reached again")
                self._lost = False

    def _save(self) -> None:
        """Upload checkpoints that have changed, each once in a while."""
        for key, (last, changed) in list(self._safe.items()):
            file = self._exchange.store.work(key) / LAST
            now = self._clock()
            if now - last < SAFE or not file.exists():
                continue
            modified = file.stat().st_mtime
            if modified != changed:
                self._exchange.push_work([key])
            self._safe[key] = (now, modified)

    def _say_refused(self) -> None:
        for key, what in self._exchange.refused.items():
            if key not in self._told:
                self._told.add(key)
                self._tell(f"not taken over: {what}")

    def cancel(self, key: str) -> Outcome:
        """End a trial under way that nobody wants any more."""
        outcome = self._inner.cancel(key)
        self._forget(key)
        return outcome

    def timed(
        self, baseline: TrialSpec, candidate: TrialSpec, data: Path, settings: TimingSettings
    ) -> AbstractContextManager[Blocks]:
        """A machine alone, of those of the inner executor."""
        return self._inner.timed(baseline, candidate, data, settings)

    def stop(self) -> None:
        """End what is under way, and leave its checkpoints where any machine can go on."""
        interrupted = self._inner.running
        self._inner.stop()
        with self._alone_if_lost():
            self._exchange.push_work(interrupted)
        for key in interrupted:
            self._forget(key)
