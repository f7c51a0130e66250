"""The plan: which arms, cells and trials answer the question; nothing is trained here.

The shape is *with and without*: a feature outside of the baseline is added to it, one inside is
taken out of it. Either way the reference arm lacks the feature, the candidate arm has it, and
trials of the baseline arm serve every feature.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from harness.config import Override
from harness.errors import UsageError
from harness.feature import FEATURES, make_arm
from harness.gates.complexity import USUAL, Budget, Measures
from harness.gates.policy import Policy
from harness.hashing import content_key
from harness.matrix.measures import measure
from harness.matrix.overrides import override_of
from harness.matrix.spec import TrialSpec, make_spec
from harness.matrix.timing import TimingSettings
from harness.models import DataShape, make_model
from harness.selection import Selection, parse, parse_list, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.feature import Feature
    from harness.graphs.dataset import PackedGraphs
    from harness.hardware import Hardware
    from harness.settings import TrainingSettings

PHASE_1 = "class_weights+weighted_sampler+focal_loss+lr_finder"
BASELINES = {"phase1": PHASE_1, "plain": ""}
SPARE_SEEDS = 10
PLAN_FILE = "plan.json"
TIMING_SEED = 0


class PlannedCell(BaseModel):
    """One (candidate, model, data set, hardware) with the keys of its trials by seed.

    Attributes:
        model: selection.
        data: content hash of the data set.
        hardware: canonical name.
        here: whether the planning machine is of that hardware, so that the cell can be run.
        baseline: trial keys of the reference arm, by seed.
        candidate: trial keys of the candidate arm, by seed.
        timing: key of the cell's timed blocks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    data: str
    hardware: str
    here: bool
    baseline: tuple[str, ...]
    candidate: tuple[str, ...]
    timing: str


class PlannedFeature(BaseModel):
    """One candidate and its cells.

    Attributes:
        name: selection of the candidate, canonical.
        claim: of its feature; of the first where several are joined.
        reference: what the candidate arm lacks it from: ``baseline`` or ``baseline without it``.
        cells: one for each data set, model and kind of hardware.
        complexity: measures of its files; None in plans that were laid out without them.
        override: what it is held to instead of the policy's margins and the common budget.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    claim: str
    reference: str
    cells: tuple[PlannedCell, ...]
    complexity: Measures | None = None
    override: Override = Override()


class DataSet(BaseModel):
    """A data set as the plan names it.

    Attributes:
        name: short name.
        source: the selection or path that the user gave.
        folder: of the packed arrays.
        graphs: how many.
        vulnerable: how many of them.
        notes: what every report on it must say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str
    folder: str
    graphs: int
    vulnerable: int
    notes: tuple[str, ...]


class Source(BaseModel):
    """A store that a merged one was made of.

    Attributes:
        folder: where it was.
        hardware: kinds that its trials are of.
        versions: of torch and PyG.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str
    hardware: tuple[str, ...]
    versions: dict[str, str]


class Plan(BaseModel):
    """Everything that a campaign will do, and all that a report needs beside the results.

    Attributes:
        baseline: selections of the baseline arm's features, sorted.
        policy: whose margins apply.
        budget: pairs of a cell at most.
        all_gates: whether every gate is measured even where one has failed.
        timing: settings of the timed blocks.
        hardware: kinds that the verdict needs.
        features: the candidates, in the order in which they are taken.
        data: data sets by content hash.
        trials: every trial that may be needed, by key.
        complexity: budget of every feature that has none of its own.
        sources: stores that it was merged of; empty where it is one machine's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    baseline: tuple[str, ...]
    policy: Policy
    budget: int
    all_gates: bool
    timing: TimingSettings
    hardware: tuple[str, ...]
    features: tuple[PlannedFeature, ...]
    data: dict[str, DataSet]
    trials: dict[str, TrialSpec]
    complexity: Budget = USUAL
    sources: tuple[Source, ...] = ()

    @cached_property
    def models(self) -> tuple[str, ...]:
        """The models, in the order of the plan."""
        cells = [cell for feature in self.features for cell in feature.cells]
        return tuple(dict.fromkeys(cell.model for cell in cells))


def candidates_of(text: str) -> list[tuple[Selection, ...]]:
    """Read ``--features``: selections, or ``all`` for every registered feature by itself.

    Raises:
        UsageError: if nothing is selected or a name is unknown.
    """
    if text.strip() == "all":
        return [(Selection(name),) for name in FEATURES.names()]
    found = parse_list(text)
    if not found:
        raise UsageError(
            "no feature is selected", where="--features", mend="name some, or say: --features all"
        )
    return found


def baseline_of(text: str) -> tuple[Feature, ...]:
    """Read ``--baseline``: ``phase1``, ``plain``, features joined by ``+``, or a mixture.

    Raises:
        UsageError: if a feature is unknown, or the arm cannot be.
    """
    selections: list[Selection] = []
    for one in parse(text):
        named = BASELINES.get(one.name)
        selections += [one] if named is None else parse(named) if named else []
    return make_arm(selections)


def arms_of(
    candidate: Sequence[Selection], baseline: Sequence[Feature]
) -> tuple[tuple[Feature, ...], tuple[Feature, ...]]:
    """The reference arm and the candidate arm of a candidate.

    Raises:
        UsageError: if a feature or field is unknown.
        SlotConflictError: if two features own one slot.
    """
    names = {selection.name for selection in candidate}
    rest = [feature.selection() for feature in baseline if feature.name not in names]
    return make_arm(rest), make_arm([*rest, *candidate])


@dataclass(frozen=True)
class Question:
    """What is asked of a campaign, already read and checked piece by piece.

    Attributes:
        candidates: from ``candidates_of``.
        baseline: from ``baseline_of``.
        models: selections.
        settings: of every trial.
        timing: of the timed blocks.
        policy: whose margins apply.
        budget: pairs of a cell at most.
        all_gates: whether every gate is measured even where one has failed.
        hardware: this machine.
        required_hardware: kinds that the verdict needs.
        complexity: complexity budget of a feature.
        overrides: from ``read_overrides``.
    """

    candidates: Sequence[tuple[Selection, ...]]
    baseline: tuple[Feature, ...]
    models: Sequence[Selection]
    settings: TrainingSettings
    timing: TimingSettings
    policy: Policy
    budget: int
    all_gates: bool
    hardware: Hardware
    required_hardware: Sequence[str]
    complexity: Budget = USUAL
    overrides: Mapping[str, Override] = field(default_factory=dict)


def make_plan(asked: Question, data: Mapping[str, tuple[DataSet, PackedGraphs]]) -> Plan:
    """Lay out all cells and trials.

    Args:
        asked: what is to be judged, and how.
        data: data sets by content hash.

    Raises:
        UsageError: if a model, feature or value is unknown; nothing is trained then.
        SlotConflictError: if two features of an arm own one slot.
    """
    for model in asked.models:
        for _, graphs in data.values():
            make_model(model, DataShape.of(graphs))
    trials: dict[str, TrialSpec] = {}
    datasets = {content: dataset for content, (dataset, _) in data.items()}
    features = [_feature(asked, candidate, datasets, trials) for candidate in asked.candidates]
    return Plan(
        baseline=tuple(sorted(map(str, asked.baseline))),
        policy=asked.policy,
        budget=asked.budget,
        all_gates=asked.all_gates,
        timing=asked.timing,
        hardware=tuple(asked.required_hardware),
        features=tuple(features),
        data=datasets,
        trials=trials,
        complexity=asked.complexity,
    )


def _feature(
    asked: Question,
    candidate: tuple[Selection, ...],
    datasets: Mapping[str, DataSet],
    trials: dict[str, TrialSpec],
) -> PlannedFeature:
    reference, arm = arms_of(candidate, asked.baseline)
    cells = []
    for content, dataset in datasets.items():
        for model in asked.models:
            keys = [
                _trials(asked, one, model, content, dataset.name, trials)
                for one in (reference, arm)
            ]
            cells += [
                _cell(keys, str(model), content, kind, asked)
                for kind in asked.required_hardware
            ]  # fmt: skip
    named = _named(arm, candidate)
    inside = len(reference) < len(asked.baseline)
    return PlannedFeature(
        name=write(tuple(feature.selection() for feature in named)),
        claim=FEATURES.get(candidate[0].name).claim.value,
        reference="baseline without it" if inside else "baseline",
        cells=tuple(cells),
        complexity=measure([type(feature) for feature in named]),
        override=override_of(named, asked.overrides),
    )


def _named(arm: Sequence[Feature], candidate: Sequence[Selection]) -> list[Feature]:
    by_name = {feature.name: feature for feature in arm}
    return [by_name[selection.name] for selection in candidate]


def _trials(
    asked: Question,
    arm: tuple[Feature, ...],
    model: Selection,
    data: str,
    data_name: str,
    trials: dict[str, TrialSpec],
) -> tuple[str, ...]:
    """Keys of an arm's trials by seed; their specs go into ``trials``."""
    first = make_spec(data, data_name, model, arm, asked.settings, asked.hardware)
    specs = [first.model_copy(update={"seed": seed}) for seed in range(asked.budget + SPARE_SEEDS)]
    trials |= {spec.key: spec for spec in specs}
    return tuple(spec.key for spec in specs)


def _cell(
    keys: Sequence[tuple[str, ...]], model: str, data: str, kind: str, asked: Question
) -> PlannedCell:
    baseline, candidate = keys
    here = kind == asked.hardware.kind
    return PlannedCell(
        model=model,
        data=data,
        hardware=kind,
        here=here,
        baseline=baseline if here else (),
        candidate=candidate if here else (),
        timing=timing_key(baseline, candidate, asked.timing),
    )


def timing_key(baseline: Sequence[str], candidate: Sequence[str], timing: TimingSettings) -> str:
    """Key of a cell's timed blocks; how many there are at most is no part of it."""
    visits = timing.model_dump(exclude={"blocks"})
    return content_key([baseline[TIMING_SEED], candidate[TIMING_SEED], visits])
