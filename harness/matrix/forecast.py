"""What a plan will cost and what it can find, before anything is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.gates.collapse import CLEAN_RUNS
from harness.gates.planning import Power, power
from harness.gates.tables import FIRST_FAIL, FIRST_PASS
from harness.matrix.probe import Pace, probe_trial, stored_paces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np

    from harness.matrix.judge import Judge
    from harness.matrix.planned import PlannedCell, PlannedFeature
    from harness.matrix.shapes import Shape, Uncombined
    from harness.matrix.spec import TrialSpec

ASSUMED_SD: Final = 0.02
STEPS: Final = (0.0, 0.01, 0.02, 0.03)
"""True differences beyond the margin whose power is told."""

_VISITS = 4  # of a timed block, A B B A


@dataclass(frozen=True)
class Cost:
    """Trials and timed blocks of one course of events.

    Attributes:
        trials: keys of the trials.
        blocks: timed blocks of each cell, by the key of its timing.
    """

    trials: frozenset[str]
    blocks: dict[str, int]

    def joined(self, other: Cost) -> Cost:
        """Both, what they share once."""
        return Cost(self.trials | other.trials, {**self.blocks, **other.blocks})


@dataclass(frozen=True)
class FeatureForecast:
    """What one candidate takes on this machine.

    Attributes:
        name: of the candidate.
        cells: cells that this machine can run.
        elsewhere: cells on other hardware.
        baseline: trials of the reference arm at most.
        candidate: trials of the candidate arm at most.
        apart: trials of the arms with one part of a pair alone at most.
        least: F1 fails at its first look.
        passing: every gate passes as soon as it can.
        most: nothing is decided before the budget is spent, and no baseline run collapses.
    """

    name: str
    cells: int
    elsewhere: int
    baseline: int
    candidate: int
    apart: int
    least: Cost
    passing: Cost
    most: Cost


@dataclass(frozen=True)
class Course:
    """A course of events for all candidates together.

    Attributes:
        what: the course in words.
        trials: trials in all, baselines counted once.
        stored: of them, finished ones.
        seconds: until the rest is done.
    """

    what: str
    trials: int
    stored: int
    seconds: float


@dataclass(frozen=True)
class Spread:
    """The standard deviation that power is told for.

    Attributes:
        sd: of a pair's difference, to four places.
        pairs: stored pairs that it is of; 0 if it is assumed.
        cells: cells that the pairs are of.
    """

    sd: float
    pairs: int = 0
    cells: int = 0


@dataclass(frozen=True)
class Forecast:
    """Everything that ``ablate plan`` prints.

    Attributes:
        features: one part a candidate.
        courses: from the cheapest to the dearest.
        paces: of each (data, model) by name.
        spread: what power is told for.
        powers: by F1 margin.
        judged: names of the candidates that are held to each margin.
        cells: most cells that one candidate has.
        shape: of the matrix.
        uncombined: pairs that cannot be.
    """

    features: tuple[FeatureForecast, ...]
    courses: tuple[Course, ...]
    paces: dict[tuple[str, str], Pace]
    spread: Spread
    powers: dict[float, tuple[Power, ...]]
    judged: dict[float, tuple[str, ...]]
    cells: int
    shape: Shape
    uncombined: tuple[Uncombined, ...]


def forecast(
    judge: Judge, jobs: int, rng: np.random.Generator,
    probe: Callable[[TrialSpec, Path], Pace] = probe_trial,
) -> Forecast:  # fmt: skip
    """Count trials, estimate times and simulate the design's power.

    Args:
        judge: the plan and what is stored of it.
        jobs: trials at once.
        rng: of the simulated gates.
        probe: gives the pace of a trial that nothing is stored of.

    Raises:
        HarnessError: if a stored result is damaged, or a probe cannot be trained.
    """
    plan = judge.plan
    features = tuple(_feature(judge, feature) for feature in plan.features)
    paces = _Paces(judge, probe)
    known = {
        (plan.data[cell.data].name, cell.model): paces.of(plan.trials[cell.baseline[0]])
        for cell in _here(plan.features)
    }
    courses = tuple(
        _course(judge, what, (getattr(one, name) for one in features), paces, jobs)
        for name, what in (
            ("least", "every feature fails F1 at the first look"),
            ("passing", "every feature passes as soon as it can"),
            ("most", "nothing is decided before the budget is spent"),
        )
    )
    spread = _spread(judge)
    judged: dict[float, tuple[str, ...]] = {}
    for feature in plan.features:
        margin = judge.rules(feature).margin
        judged[margin] = (*judged.get(margin, ()), feature.name)
    powers = {
        margin: tuple(
            power(
                round(margin + step, 9), spread.sd, rng=rng, margin=margin, budget=plan.budget
            )
            for step in STEPS
        )
        for margin in judged
    }  # fmt: skip
    cells = max(len(feature.cells) for feature in plan.features)
    return Forecast(
        features, courses, known, spread, powers, judged, cells, plan.shape, plan.uncombined
    )


def _here(features: Iterable[PlannedFeature]) -> list[PlannedCell]:
    return [cell for feature in features for cell in feature.cells if cell.here]


def _feature(judge: Judge, feature: PlannedFeature) -> FeatureForecast:
    budget, blocks = judge.plan.budget, judge.plan.timing.blocks
    cells = _here([feature])
    most = max(CLEAN_RUNS, budget)

    def cost(rounds: Iterable[int], timed: int) -> Cost:
        trials = {
            key
            for cell, count in zip(cells, rounds, strict=True)
            for arm in cell.arms
            for key in arm[:count]
        }
        return Cost(frozenset(trials), {cell.timing: timed for cell in cells if timed})

    # The first cell fails at its first look, before the others get a pair.
    first = [0 if place else FIRST_FAIL for place in range(len(cells))]
    every_gate = judge.plan.all_gates
    return FeatureForecast(
        name=feature.name,
        cells=len(cells),
        elsewhere=len(feature.cells) - len(cells),
        baseline=len({key for cell in cells for key in cell.baseline[:most]}),
        candidate=len({key for cell in cells for key in cell.candidate[:most]}),
        apart=len({key for cell in cells for arm in cell.apart for key in arm[:most]}),
        least=cost([CLEAN_RUNS] * len(cells), FIRST_FAIL) if every_gate else cost(first, 0),
        passing=cost([CLEAN_RUNS] * len(cells), min(FIRST_PASS, blocks)),
        most=cost([most] * len(cells), blocks),
    )


class _Paces:
    """Paces of arms: stored ones, else that of the model, else a probe, each made once."""

    def __init__(self, judge: Judge, probe: Callable[[TrialSpec, Path], Pace]) -> None:
        self._judge, self._probe = judge, probe
        self._stored = stored_paces(judge)
        self._models: dict[tuple[str, str], Pace] = {}

    def of(self, spec: TrialSpec) -> Pace:
        found = self._stored.get((spec.data, spec.model, spec.arm))
        return found or self._model(spec.data, spec.model)

    def _model(self, data: str, model: str) -> Pace:
        if (data, model) not in self._models:
            plan = self._judge.plan
            cell = next(
                cell for cell in _here(plan.features) if (cell.data, cell.model) == (data, model)
            )
            spec = plan.trials[cell.baseline[0]]
            stored = self._stored.get((spec.data, spec.model, spec.arm))
            self._models[data, model] = stored or self._probe(spec, Path(plan.data[data].folder))
        return self._models[data, model]


def _course(
    judge: Judge, what: str, costs: Iterable[Cost], paces: _Paces, jobs: int
) -> Course:  # fmt: skip
    whole = Cost(frozenset(), {})
    for cost in costs:
        whole = whole.joined(cost)
    missing = sorted(key for key in whole.trials if not judge.results.has(key))
    training = sum(paces.of(judge.plan.trials[key]).trial for key in missing)
    timing = judge.plan.timing
    cells = {cell.timing: cell for cell in _here(judge.plan.features)}
    timed = 0.0
    for key, wanted in whole.blocks.items():
        blocks = max(0, wanted - len(judge.store.read("blocks", key) or []))
        for arm in (cells[key].baseline[0], cells[key].candidate[0]):
            spec = judge.plan.trials[arm]
            pace = paces.of(spec)
            epochs = timing.warmup_epochs + timing.epochs
            visit = epochs * pace.epoch
            if any("around_fit" in feature.hooks() for feature in spec.features):
                visit = pace.trial
            timed += blocks * _VISITS / 2 * visit
    return Course(
        what, len(whole.trials), len(whole.trials) - len(missing), training / jobs + timed
    )


def _spread(judge: Judge) -> Spread:
    """Standard deviation of the stored pairs, cells weighed by their degrees of freedom."""
    squares, free, pairs, cells = 0.0, 0, 0, 0
    for feature in judge.plan.features:
        for state in judge.progress(feature).states:
            f1 = state.cell.f1
            if f1 is None or f1.decision.sd is None or f1.decision.n < FIRST_FAIL:
                continue
            squares += (f1.decision.n - 1) * f1.decision.sd**2
            free += f1.decision.n - 1
            pairs += f1.decision.n
            cells += 1
    return Spread(round(math.sqrt(squares / free), 4), pairs, cells) if free else Spread(ASSUMED_SD)
