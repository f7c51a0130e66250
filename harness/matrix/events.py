"""What a campaign tells whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from harness.gates.verdict import FeatureVerdict
    from harness.matrix.executor import Outcome
    from harness.matrix.planned import PlannedCell, PlannedFeature
    from harness.matrix.spec import TrialSpec


@dataclass(frozen=True)
class TrialStarted:
    """A trial's process was started."""

    spec: TrialSpec


@dataclass(frozen=True)
class TrialEnded:
    """An attempt at a trial is over."""

    spec: TrialSpec
    outcome: Outcome


@dataclass(frozen=True)
class Judged:
    """A feature was judged anew, on so many pairs of all its cells.

    ``done`` says whether its quality runs are over.
    """

    feature: PlannedFeature
    verdict: FeatureVerdict
    pairs: int
    done: bool


@dataclass(frozen=True)
class BlockTimed:
    """A timed block of a cell is stored."""

    feature: PlannedFeature
    cell: PlannedCell
    blocks: int


@dataclass(frozen=True)
class Waiting:
    """The machine is waited for, so that a block can be timed with nothing beside it."""


@dataclass(frozen=True)
class Said:
    """One sentence for the user."""

    text: str


Event: TypeAlias = TrialStarted | TrialEnded | Judged | BlockTimed | Waiting | Said
