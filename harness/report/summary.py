"""Everything that a report shows, gathered from plan and store once."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.errors import ExitCode, UsageError
from harness.gates.words import Verdict
from harness.matrix.interactions import interaction_of
from harness.matrix.references import PART, name_of
from harness.report.other import OtherPolicy, other_policy
from harness.report.shapes import shape_json
from harness.selection import parse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from harness.gates.interaction import Interaction
    from harness.gates.verdict import FeatureVerdict
    from harness.graphs.sources import Progress
    from harness.hardware import Hardware
    from harness.matrix.judge import Judge
    from harness.matrix.planned import Plan, PlannedFeature
    from harness.matrix.replay import Progress as Replayed
    from harness.matrix.store import TrialResult

FIXED_DESIGN = 10

EXIT_CODES = {
    Verdict.PASS: ExitCode.PASS,
    Verdict.FAIL: ExitCode.FAIL,
    Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Verdict.NOT_MEASURED: ExitCode.NOT_MEASURED,
}


@dataclass(frozen=True)
class FeatureSummary:
    """One candidate's part of a report.

    Attributes:
        planned: the candidate and its cells.
        verdict: what the gates say.
        progress: how far its quality runs came.
        problems: failures that kept cells from being measured, one sentence each.
        other: what the other policy would say.
        interactions: of a pair, one for each cell and None where it was not run; empty otherwise.
    """

    planned: PlannedFeature
    verdict: FeatureVerdict
    progress: Replayed
    problems: tuple[str, ...]
    other: OtherPolicy | None = None
    interactions: tuple[Interaction | None, ...] = ()

    @property
    def why(self) -> str:
        """The verdict's reasons in one sentence, with what configuration changed."""
        said = "; ".join((*self.problems, *self.verdict.reasons)) or self.verdict.sentence
        changed = self.verdict.overridden
        return f"{said} ({changed})" if changed else said

    @property
    def word(self) -> Verdict:
        """The verdict; NOT_MEASURED where a crash kept a cell from being measured."""
        if self.problems and self.verdict.verdict is not Verdict.FAIL:
            return Verdict.NOT_MEASURED
        return self.verdict.verdict


def those_of(name: str, features: Iterable[FeatureSummary]) -> Iterator[FeatureSummary]:
    """The candidates that are this feature alone, whatever its values."""
    return (one for one in features if _names_in(one.planned.name) == [name])


def _names_in(selection: str) -> list[str]:
    try:
        return [each.name for each in parse(selection)]
    except UsageError:  # what is stored may be no selection
        return []


@dataclass(frozen=True)
class Figures:
    """A model's baseline beside the classifiers that it should not lose to, on one data set.

    Attributes:
        data: name of the data set.
        model: selection of the model.
        seeds: splits that the means are over.
        baseline: mean gate F1 of the baseline arm, of each seed over all hardware first.
        spread: standard deviation over seeds.
        always: mean F1 of calling every graph vulnerable.
        regression: mean F1 of logistic regression on bags of node types and tokens.
    """

    data: str
    model: str
    seeds: int
    baseline: float
    spread: float
    always: float | None
    regression: float | None

    @property
    def warning(self) -> str | None:
        """What must be said where the model loses to a reference."""
        beaten = [
            name
            for name, value in (("always-vulnerable", self.always), ("regression", self.regression))
            if value is not None and value >= self.baseline
        ]
        if not beaten:
            return None
        return f"{self.model} on {self.data} does not beat {' and '.join(beaten)}"


@dataclass(frozen=True)
class Summary:
    """A whole report.

    Attributes:
        plan: what was asked.
        features: one part for each candidate.
        figures: baselines beside their references.
        trials: trials that the verdicts read.
        commits: git commits of the trials.
        notes: what must be said of the data.
        machines: every different description of hardware and versions among the trials.
    """

    plan: Plan
    features: tuple[FeatureSummary, ...]
    figures: tuple[Figures, ...]
    trials: int
    commits: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())
    machines: tuple[Hardware, ...] = field(default=())

    @property
    def verdict(self) -> Verdict:
        """Over all candidates: FAIL if one fails, PASS if all pass."""
        words = {feature.word for feature in self.features}
        for word in (Verdict.FAIL, Verdict.NOT_MEASURED, Verdict.INCONCLUSIVE):
            if word in words:
                return word
        return Verdict.PASS

    @property
    def exit_code(self) -> ExitCode:
        """For the command line."""
        return EXIT_CODES[self.verdict]

    @property
    def fixed_design(self) -> int:
        """Trials of ten runs of each arm in every cell, nothing shared."""
        cells = [one.planned.arms * len(one.planned.cells) for one in self.features]
        return FIXED_DESIGN * sum(cells)

    @property
    def fixed_words(self) -> str:
        """The fixed design in words: ``10 + 10``, and four tens where cells have four arms."""
        arms = max((one.planned.arms for one in self.features), default=2)
        return " + ".join([str(FIXED_DESIGN)] * arms)

    @property
    def hardware(self) -> Hardware | None:
        """The first of the machines; None before the first trial."""
        return self.machines[0] if self.machines else None

    def to_json(self) -> dict[str, Any]:
        """The content of ``verdict.json``."""
        return {
            "schema": 1,
            "verdict": self.verdict.value,
            "policy": self.plan.policy.value,
            "shape": self.plan.shape.value,
            "uncombined": [one.model_dump() for one in self.plan.uncombined],
            "baseline": list(self.plan.baseline),
            "trials": self.trials,
            "features": {
                one.planned.name: {
                    **one.verdict.to_json(),
                    "verdict": one.word.value,
                    "claim": one.planned.claim,
                    "reference": one.planned.reference,
                    "rounds": one.progress.rounds,
                    "problems": list(one.problems),
                    "other_policy": None if one.other is None else one.other.to_json(),
                    **shape_json(self, one),
                }
                for one in self.features
            },
            "figures": [vars(one) for one in self.figures],
            "data": {key: data.model_dump() for key, data in self.plan.data.items()},
            "hardware": None if self.hardware is None else self.hardware.model_dump(),
            "machines": [one.model_dump() for one in self.machines],
            "sources": [one.model_dump(mode="json") for one in self.plan.sources],
            "commits": list(self.commits),
        }


def summarise(judge: Judge, progress: Progress | None = None) -> Summary:
    """Gather a report from what is stored.

    Args:
        judge: of the store.
        progress: told of each candidate that was judged.

    Raises:
        StoreError: if a stored result is damaged.
    """
    features = []
    read: set[str] = set()
    for planned in judge.plan.features:
        feature = _summarised(judge, planned)
        features.append(feature)
        read |= _read(feature)
        if progress is not None:
            progress(len(features), len(judge.plan.features), "features judged")
    results = [judge.results.result(key) for key in sorted(read)]
    return Summary(
        plan=judge.plan,
        features=tuple(features),
        figures=_figures(judge, read),
        trials=len(read),
        machines=_machines(results),
        commits=tuple(sorted({one.git_commit for one in results if one.git_commit})),
        notes=tuple(dict.fromkeys(note for one in judge.plan.data.values() for note in one.notes)),
    )


def _summarised(judge: Judge, planned: PlannedFeature) -> FeatureSummary:
    progress = judge.progress(planned)
    return FeatureSummary(
        planned,
        judge.verdict(planned, progress),
        progress,
        problems=tuple(
            f"{state.cell.key.model} on {state.cell.key.data}: {state.problem.detail}"
            for state in progress.states
            if state.problem is not None
        ),
        other=other_policy(judge, planned),
        interactions=tuple(interaction_of(judge.results, planned, cell) for cell in planned.cells),
    )


def _read(feature: FeatureSummary) -> set[str]:
    """Keys of the trials that a candidate's verdict and interactions rest on."""
    cells, read = feature.planned.cells, set()
    for cell, interaction in zip(cells, feature.interactions, strict=True):
        if interaction is not None:
            seeds = (*interaction.seeds, *interaction.dropped)
            read |= {arm[seed] for arm in cell.arms for seed in seeds}
    for cell, state in zip(cells, feature.progress.states, strict=True):
        read |= {*cell.baseline[: state.pairs], *cell.candidate[: state.pairs]}
    return read


def _machines(results: Sequence[TrialResult]) -> tuple[Hardware, ...]:
    """Every different description, by kind of hardware."""
    found = {one.hardware.model_dump_json(): one.hardware for one in results}
    return tuple(found[text] for text in sorted(found))


def _figures(judge: Judge, read: Collection[str]) -> tuple[Figures, ...]:
    """Of the baseline runs that verdicts read, so that none hangs on what was trained ahead.

    A model whose verdicts read none, since every candidate broke, has all that are there.
    """
    plan = judge.plan
    finished = [
        key
        for key, spec in plan.trials.items()
        if spec.arm == plan.baseline and judge.results.has(key)
    ]
    cells = {key: (plan.trials[key].data, plan.trials[key].model) for key in finished}
    judged = {cells[key] for key in finished if key in read}
    found: dict[tuple[str, str], dict[int, list[float]]] = {}
    for key in finished:
        f1 = judge.results.result(key).f1
        if f1 is not None and (key in read or cells[key] not in judged):
            seeds = found.setdefault(cells[key], {})
            seeds.setdefault(plan.trials[key].seed, []).append(f1)
    figures = []
    for (data, model), by_seed in found.items():
        stored = [judge.store.read(PART, name_of(data, seed)) for seed in by_seed]
        known = [record for record in stored if record is not None]
        values = [statistics.fmean(over_hardware) for over_hardware in by_seed.values()]
        figures.append(
            Figures(
                data=plan.data[data].name,
                model=model,
                seeds=len(values),
                baseline=statistics.fmean(values),
                spread=statistics.stdev(values) if len(values) > 1 else 0.0,
                always=_mean(known, "always_vulnerable"),
                regression=_mean(known, "regression"),
            )
        )
    return tuple(figures)


def _mean(records: list[dict[str, Any]], name: str) -> float | None:
    return statistics.fmean(record[name] for record in records) if records else None
