"""What a campaign asks of whoever runs its trials: this machine, several, or a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from harness.matrix.blocks import TimingSettings
    from harness.matrix.spec import TrialSpec

Status = Literal["finished", "error", "damaged", "killed", "timeout", "lost", "cancelled"]


@dataclass(frozen=True)
class Outcome:
    """How an attempt at a trial ended.

    Attributes:
        key: of the trial.
        status: ``finished`` if the store holds its result; ``damaged`` where its checkpoint could
            not be read and was removed, so that it begins anew; ``lost`` where the machine went
            away with it, ``cancelled`` where nobody wanted it any more.
        seconds: wall time from start to end.
    """

    key: str
    status: Status
    seconds: float


class Blocks(Protocol):
    """Both arms of a cell, loaded where nothing else runs."""

    def block(self, order: list[str]) -> dict[str, Any]:
        """Time one block of four visits in an order from ``blocks.drawn_order``; JSON data.

        Raises:
            NotMeasuredError: if an arm fails.
        """


class Executor(Protocol):
    """Runs trials and puts their results into the campaign's store."""

    @property
    def free(self) -> int:
        """Trials that can be started now."""

    @property
    def running(self) -> frozenset[str]:
        """Keys of the trials under way."""

    @property
    def elsewhere(self) -> frozenset[str]:
        """Keys of trials that others run now and whose results will come by themselves."""

    def start(self, spec: TrialSpec, data: Path) -> bool:
        """Start a trial, and say whether it was; it is not if it turned out to be elsewhere.

        Args:
            spec: the trial.
            data: folder of its packed data set.
        """

    def wait(self, seconds: float = 0.5) -> list[Outcome]:
        """Wait at most so long for trials to end; returns those that did, here or elsewhere."""

    def cancel(self, key: str) -> Outcome:
        """End a trial under way that nobody wants any more; what it has written stays."""

    def timed(
        self, baseline: TrialSpec, candidate: TrialSpec, data: Path, settings: TimingSettings
    ) -> AbstractContextManager[Blocks]:
        """Wait for a machine alone and load both arms there, for as long as the context lasts.

        Args:
            baseline: trial of the baseline arm.
            candidate: trial of the candidate arm.
            data: folder of their packed data set.
            settings: of the visits.
        """

    def stop(self) -> None:
        """End what is under way; finished trials stay, and checkpoints let the others go on."""
