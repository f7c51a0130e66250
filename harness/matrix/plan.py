"""Laying a plan out: which cells and trials answer the question; nothing is trained here."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
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
from harness.matrix.shapes import Shape, make_matrix
from harness.matrix.spec import by_seed, make_spec
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
    from harness.matrix.spec import TrialSpec
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
    if asked.budget + SPARE_SEEDS > FIRST_SEARCH_SEED:
        raise UsageError(
            f"{asked.budget} pairs would use seeds of a search, {FIRST_SEARCH_SEED} and above"
        )
    matrix = make_matrix(asked.shape, asked.candidates, asked.baseline)
    for model in asked.models:
        for _, graphs in data.values():
            make_model(model, DataShape.of(graphs))
    datasets = {content: dataset for content, (dataset, _) in data.items()}
    layout = _Layout(asked, datasets)
    features = [layout.feature(one) for one in matrix.comparisons]
    return Plan(
        baseline=tuple(sorted(map(str, matrix.baseline))),
        policy=asked.policy,
        budget=asked.budget,
        all_gates=asked.all_gates,
        timing=asked.timing,
        hardware=tuple(asked.required_hardware),
        features=tuple(features),
        data=datasets,
        trials=layout.trials,
        complexity=asked.complexity,
        shape=matrix.shape,
        uncombined=matrix.uncombined,
    )


class _Layout:
    """Cells as they are laid out; arms, such as the baseline, that many of them share, once.

    Args:
        asked: what is to be judged, and how.
        datasets: by content hash.
    """

    def __init__(self, asked: Question, datasets: Mapping[str, DataSet]) -> None:
        self.trials: dict[str, TrialSpec] = {}
        self._asked, self._datasets = asked, datasets
        self._keys: dict[tuple[object, ...], tuple[str, ...]] = {}
        self._measure = cache(measure)

    def feature(self, compared: Comparison) -> PlannedFeature:
        """A candidate with its cells."""
        asked = self._asked
        kinds = tuple(type(feature) for feature in compared.candidate)
        return PlannedFeature(
            name=compared.name,
            claim=FEATURES.get(compared.candidate[0].name).claim.value,
            reference=compared.against,
            cells=tuple(
                self._cell(compared, model, content, kind)
                for content in self._datasets
                for model in asked.models
                for kind in asked.required_hardware
            ),
            complexity=self._measure(kinds),
            override=override_of(compared.candidate, asked.overrides),
            parts=compared.parts,
        )

    def _cell(self, compared: Comparison, model: Selection, data: str, kind: str) -> PlannedCell:
        runs_on = self._asked.runs_on(kind)
        here = runs_on is not None
        arms = (compared.reference, compared.arm, *compared.apart)
        hardware = runs_on or self._asked.hardware
        baseline, candidate, *apart = (self._arm(arm, model, data, hardware) for arm in arms)
        return PlannedCell(
            model=str(model),
            data=data,
            hardware=kind,
            here=here,
            baseline=baseline if here else (),
            candidate=candidate if here else (),
            timing=timing_key(baseline, candidate, self._asked.timing),
            apart=tuple(apart) if here else (),
        )

    def _arm(
        self, arm: tuple[Feature, ...], model: Selection, data: str, hardware: Hardware
    ) -> tuple[str, ...]:
        """Keys of an arm's trials by seed; their specs go into ``trials``."""
        known = (arm, str(model), data, hardware.kind)
        if known not in self._keys:
            name = self._datasets[data].name
            first = make_spec(data, name, model, arm, self._asked.settings, hardware)
            specs = by_seed(first, self._asked.budget + SPARE_SEEDS)
            self.trials |= specs
            self._keys[known] = tuple(specs)
        return self._keys[known]
