"""Laying a plan out: which cells and trials answer the question; nothing is trained here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.feature import FEATURES
from harness.gates.complexity import USUAL, Budget
from harness.matrix.measures import measure
from harness.matrix.overrides import override_of
from harness.matrix.planned import (
    SPARE_SEEDS,
    DataSet,
    Plan,
    PlannedCell,
    PlannedFeature,
    timing_key,
)
from harness.matrix.shapes import (
    Shape,
    make_matrix,
)
from harness.matrix.spec import TrialSpec, make_spec
from harness.models import DataShape, make_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.config import Override
    from harness.feature import Feature
    from harness.gates.policy import Policy
    from harness.graphs.dataset import PackedGraphs
    from harness.hardware import Hardware
    from harness.matrix.blocks import TimingSettings
    from harness.matrix.shapes import Comparison
    from harness.selection import Selection
    from harness.settings import TrainingSettings

FIRST_SEARCH_SEED = 1_000_000
"""Gates use the seeds below; a hyper-parameter search uses this one and those above alone."""


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
        shape: how the candidates are compared.
        devices: torch device types of the required kinds that others than this machine run.
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
    shape: Shape = Shape.ADD_ONE
    devices: Mapping[str, str] = field(default_factory=dict)

    def runs_on(self, kind: str) -> Hardware | None:
        """The hardware of a kind as trials name it; None if trials of it cannot be run."""
        if kind in self.devices:
            return self.hardware.model_copy(update={"kind": kind, "device": self.devices[kind]})
        return self.hardware if kind == self.hardware.kind else None


def make_plan(asked: Question, data: Mapping[str, tuple[DataSet, PackedGraphs]]) -> Plan:
    """Lay out all cells and trials.

    Args:
        asked: what is to be judged, and how.
        data: data sets by content hash.

    Raises:
        UsageError: if a model, feature or value is unknown; nothing is trained then.
        SlotConflictError: if two features of an arm own one slot.
    """
    matrix = make_matrix(asked.shape, asked.candidates, asked.baseline)
    for model in asked.models:
        for _, graphs in data.values():
            make_model(model, DataShape.of(graphs))
    trials: dict[str, TrialSpec] = {}
    datasets = {content: dataset for content, (dataset, _) in data.items()}
    features = [_feature(asked, one, datasets, trials) for one in matrix.comparisons]
    return Plan(
        baseline=tuple(sorted(map(str, matrix.baseline))),
        policy=asked.policy,
        budget=asked.budget,
        all_gates=asked.all_gates,
        timing=asked.timing,
        hardware=tuple(asked.required_hardware),
        features=tuple(features),
        data=datasets,
        trials=trials,
        complexity=asked.complexity,
        shape=matrix.shape,
        uncombined=matrix.uncombined,
    )


def _feature(
    asked: Question,
    compared: Comparison,
    datasets: Mapping[str, DataSet],
    trials: dict[str, TrialSpec],
) -> PlannedFeature:
    arms = (compared.reference, compared.arm, *compared.apart)
    cells = []
    for content, dataset in datasets.items():
        for model in asked.models:
            for kind in asked.required_hardware:
                hardware = asked.runs_on(kind)
                where = (model, content, dataset.name, hardware or asked.hardware)
                keys = [_trials(asked, one, *where, trials) for one in arms]
                cells.append(
                    _cell(keys, str(model), content, kind, asked.timing, here=hardware is not None)
                )
    return PlannedFeature(
        name=compared.name,
        claim=FEATURES.get(compared.candidate[0].name).claim.value,
        reference=compared.against,
        cells=tuple(cells),
        complexity=measure([type(feature) for feature in compared.candidate]),
        override=override_of(compared.candidate, asked.overrides),
        parts=compared.parts,
    )


def _trials(
    asked: Question,
    arm: tuple[Feature, ...],
    model: Selection,
    data: str,
    data_name: str,
    hardware: Hardware,
    trials: dict[str, TrialSpec],
) -> tuple[str, ...]:
    """Keys of an arm's trials by seed; their specs go into ``trials``."""
    if asked.budget + SPARE_SEEDS > FIRST_SEARCH_SEED:
        raise UsageError(
            f"{asked.budget} pairs would use seeds of a search, {FIRST_SEARCH_SEED} and above"
        )
    first = make_spec(data, data_name, model, arm, asked.settings, hardware)
    specs = [first.model_copy(update={"seed": seed}) for seed in range(asked.budget + SPARE_SEEDS)]
    trials |= {spec.key: spec for spec in specs}
    return tuple(spec.key for spec in specs)


def _cell(
    keys: Sequence[tuple[str, ...]], model: str, data: str, kind: str, timing: TimingSettings, *,
    here: bool,
) -> PlannedCell:  # fmt: skip
    baseline, candidate, *apart = keys
    return PlannedCell(
        model=model,
        data=data,
        hardware=kind,
        here=here,
        baseline=baseline if here else (),
        candidate=candidate if here else (),
        timing=timing_key(baseline, candidate, timing),
        apart=tuple(apart) if here else (),
    )
