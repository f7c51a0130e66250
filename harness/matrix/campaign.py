"""A campaign: trials in the order that decides soonest, until every feature has its verdict.

First the quality runs, several at once: the feature whose next step is the cheapest goes first,
its cells as ``Judge.progress`` replays them, and the next feature's where a core would idle. A
feature on its way to FAIL needs one more pair of one model, so it goes on before another begins.
Then the timed blocks of features that have not failed, one at a time with the machine to itself.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import NotMeasuredError
from harness.gates.words import Verdict
from harness.matrix.blocks import drawn_order
from harness.matrix.events import BlockTimed, Judged, Said, TrialEnded, TrialStarted, Waiting
from harness.matrix.records import Failure
from harness.matrix.replay import TIMED
from harness.matrix.stored import ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harness.matrix.events import Event
    from harness.matrix.executor import Executor, Outcome
    from harness.matrix.judge import Judge
    from harness.matrix.planned import PlannedCell, PlannedFeature
    from harness.matrix.replay import CellState, Progress


@dataclass
class _Spent:
    """Seconds of the trials that have ended, and how many they are."""

    seconds: float = 0.0
    trials: int = 0

    def add(self, seconds: float) -> None:
        """Take one more in."""
        self.seconds += seconds
        self.trials += 1

    @property
    def mean(self) -> float:
        """Of a trial; 1 where none has ended, so that their number decides."""
        return self.seconds / self.trials if self.trials else 1.0


class Campaign:
    """Runs what a plan needs and the store lacks.

    Args:
        judge: plan, store and finished results.
        executor: runs trials.
        listen: told of everything that happens.
    """

    def __init__(self, judge: Judge, executor: Executor, listen: Callable[[Event], None]) -> None:
        self._judge, self._executor, self._listen = judge, executor, listen
        self._plan, self._store = judge.plan, judge.store
        self._attempts: dict[str, int] = {}
        self._progress: dict[str, Progress] = {}
        self._spent: dict[tuple[str, str], _Spent] = {}
        self._spent_in_all = _Spent()
        self._ended = False
        self._features_of: dict[str, list[PlannedFeature]] = {}
        for feature in self._plan.features:
            for key in _keys_of(feature):
                self._features_of.setdefault(key, []).append(feature)

    def run(self) -> None:
        """Run to the end; what is finished before an interruption stays finished.

        Raises:
            StoreError: if a stored result is damaged.
            OSError: if the store cannot be written.
        """
        self.train()
        self._time()

    # Quality runs --------------------------------------------------------------------------

    def train(self) -> None:
        """Run the quality runs alone: no block is timed.

        Raises:
            StoreError: if a stored result is damaged.
            OSError: if the store cannot be written.
        """
        try:
            self._train()
        finally:
            self._executor.stop()

    def _train(self) -> None:
        self._judge_all(None)
        while True:
            wanted = self._next()
            while self._executor.free and (key := next(wanted, None)) is not None:
                self._start(key)
            if not self._executor.running and not self._executor.elsewhere.intersection(
                self._next()
            ):
                return
            for outcome in self._executor.wait():
                self._take(outcome)
            self._cancel_unwanted()

    def _start(self, key: str) -> None:
        spec = self._plan.trials[key]
        if key in self._executor.elsewhere:
            return
        if self._executor.start(spec, Path(self._plan.data[spec.data].folder)):
            self._listen(TrialStarted(spec))

    def _take(self, outcome: Outcome) -> None:
        spec = self._plan.trials[outcome.key]
        spent = self._spent.setdefault((spec.data, spec.model), _Spent())
        for one in (spent, self._spent_in_all):
            one.add(outcome.seconds)
        if outcome.status != "finished":
            self._attempts[outcome.key] = self._attempts.get(outcome.key, 0) + 1
            if self._attempts[outcome.key] >= ATTEMPTS[outcome.status]:
                self._judge.failed.add(outcome.key)
        self._listen(TrialEnded(spec, outcome))
        self._judge_all(outcome.key)

    def _cancel_unwanted(self) -> None:
        """End the trials that no open feature may ever read."""
        if not self._ended or not self._executor.running:
            return
        self._ended = False
        of_use = {
            key
            for feature in self._plan.features
            if not self._progress[feature.name].done
            for key in _keys_of(feature)
        }
        for key in self._executor.running - of_use:
            outcome = self._executor.cancel(key)
            self._listen(TrialEnded(self._plan.trials[key], outcome))

    def _next(self) -> Iterator[str]:
        """Keys of trials to start, the soonest decisive first: next steps before later ones."""
        open_ones = [one for one in self._progress.values() if not one.done]
        in_order = sorted(open_ones, key=lambda progress: self._cost(progress.step))
        steps = (key for progress in in_order for key in progress.step)
        later = (key for progress in in_order for key in progress.wanted)
        seen: set[str] = set()
        for key in chain(steps, later):
            if key in seen:
                continue
            seen.add(key)
            if key not in self._executor.running and key not in self._judge.failed:
                yield key

    def _cost(self, keys: Iterable[str]) -> float:
        """Seconds that trials will take, as far as others of their model tell.

        A model that none tells of counts as the mean of all: what is known decides, else the
        number of trials, else the order of the plan.
        """
        specs = (self._plan.trials[key] for key in keys)
        usual = self._spent_in_all
        return sum(self._spent.get((spec.data, spec.model), usual).mean for spec in specs)

    def _judge_all(self, key: str | None) -> None:
        """Judge the features that a finished trial concerns; all of them at the start."""
        concerned = self._plan.features if key is None else self._features_of.get(key, ())
        for feature in concerned:
            before = self._progress.get(feature.name)
            if before is not None and (before.done or key not in before.wanted):
                continue
            progress = self._judge.progress(feature)
            self._progress[feature.name] = progress
            self._ended |= progress.done
            if before is None or progress.pairs != before.pairs or progress.done:
                verdict = self._judge.verdict(feature, progress)
                self._listen(Judged(feature, verdict, progress.pairs, progress.done))

    # Timed blocks --------------------------------------------------------------------------

    def _time(self) -> None:
        for feature in self._plan.features:
            states = self._progress[feature.name].states
            failed = any(state.cell.verdict is Verdict.FAIL for state in states)
            if failed and not self._plan.all_gates:
                continue
            for planned, state in zip(feature.cells, states, strict=True):
                if not self._measurable(planned, state):
                    continue
                self._time_cell(feature, planned)
                verdict = self._judge.verdict(feature)
                self._listen(
                    Judged(feature, verdict, self._progress[feature.name].pairs, done=True)
                )
                if verdict.verdict is Verdict.FAIL and not self._plan.all_gates:
                    break

    def _measurable(self, planned: PlannedCell, state: CellState) -> bool:
        return planned.here and state.problem is None and bool(state.cell.gates)

    def _open(self, feature: PlannedFeature, planned: PlannedCell, count: int) -> bool:
        """Whether another block may still decide the time gate (or the claimed benefit)."""
        if count >= self._plan.timing.blocks:
            return False
        gates = self._judge.cell(feature, planned, 1).cell.gates
        timed = [gates[name] for name in TIMED if name in gates]
        if any(gate.verdict is Verdict.FAIL for gate in timed):
            return False
        return not timed or any(gate.verdict is not Verdict.PASS for gate in timed)

    def _time_cell(self, feature: PlannedFeature, planned: PlannedCell) -> None:
        if not self._open(feature, planned, len(self._blocks(planned))):
            return
        seed = 0
        baseline = self._plan.trials[planned.baseline[seed]]
        candidate = self._plan.trials[planned.candidate[seed]]
        self._listen(Waiting())
        try:
            with self._executor.timed(
                baseline, candidate, self._folder(planned), self._plan.timing
            ) as timed:
                # Another run on the same store may have timed the cell while this one waited.
                stored = self._blocks(planned)
                draw = random.Random(f"{planned.timing}/{len(stored)}")  # noqa: S311 - no secret
                while self._open(feature, planned, len(stored)):
                    stored.append(timed.block(drawn_order(draw)))
                    self._store.keep("blocks", planned.timing, stored)
                    self._listen(BlockTimed(feature, planned, len(stored)))
        except NotMeasuredError as error:
            self._listen(Said(f"{feature.name} on {planned.model}: not timed: {error}"))
            self._store.fail(planned.timing, Failure(kind="error", detail=error.what))

    def _blocks(self, planned: PlannedCell) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._store.read("blocks", planned.timing) or []
        return found

    def _folder(self, planned: PlannedCell) -> Path:
        return Path(self._plan.data[planned.data].folder)


def _keys_of(feature: PlannedFeature) -> set[str]:
    """Keys of all trials that a feature may need."""
    return {key for cell in feature.cells for arm in cell.arms for key in arm}
