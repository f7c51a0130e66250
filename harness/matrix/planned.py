"""The plan as it is stored: which arms, cells and trials answer the question."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from harness.config import Override
from harness.gates.complexity import USUAL, Budget, Measures
from harness.gates.policy import Policy
from harness.hashing import content_key
from harness.matrix.blocks import TimingSettings
from harness.matrix.shapes import Shape, Uncombined
from harness.matrix.spec import TrialSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAN_FILE = "plan.json"
TIMING_SEED = 0
SPARE_SEEDS = 10
"""Seeds beyond the budget, for baseline runs that collapse."""


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
        apart: trial keys of the arms with one part of a pair alone, by seed; empty otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    data: str
    hardware: str
    here: bool
    baseline: tuple[str, ...]
    candidate: tuple[str, ...]
    timing: str
    apart: tuple[tuple[str, ...], ...] = ()

    @property
    def arms(self) -> tuple[tuple[str, ...], ...]:
        """Trial keys of every arm: the reference, the candidate, and the parts of a pair."""
        return (self.baseline, self.candidate, *self.apart)


class PlannedFeature(BaseModel):
    """One candidate and its cells.

    Attributes:
        name: selection of the candidate, canonical.
        claim: of its feature; of the first where several are joined.
        reference: what the candidate arm is held against, such as ``baseline without it``.
        cells: one for each data set, model and kind of hardware.
        complexity: measures of its files; None in plans that were laid out without them.
        override: what it is held to instead of the policy's margins and the common budget.
        parts: selections of the two parts of a pair, in the order of ``apart``; empty otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    claim: str
    reference: str
    cells: tuple[PlannedCell, ...]
    complexity: Measures | None = None
    override: Override = Override()
    parts: tuple[str, ...] = ()

    @property
    def arms(self) -> int:
        """How many arms each of its cells has."""
        return 2 + len(self.parts)


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
        baseline: selections of the baseline arm's features, sorted; those of the full arm where
            the shape is drop-one.
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
        shape: how the candidates are compared.
        uncombined: pairs that were asked for and cannot be.
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
    shape: Shape = Shape.ADD_ONE
    uncombined: tuple[Uncombined, ...] = ()

    @cached_property
    def models(self) -> tuple[str, ...]:
        """The models, in the order of the plan."""
        cells = [cell for feature in self.features for cell in feature.cells]
        return tuple(dict.fromkeys(cell.model for cell in cells))


def timing_key(baseline: Sequence[str], candidate: Sequence[str], timing: TimingSettings) -> str:
    """Key of a cell's timed blocks; how many there are at most is no part of it."""
    visits = timing.model_dump(exclude={"blocks"})
    return content_key([baseline[TIMING_SEED], candidate[TIMING_SEED], visits])
