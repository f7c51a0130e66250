"""The loop's own learning-rate schedules, and adapters that make torch's fit the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, ReduceLROnPlateau

from harness.settings import ScheduleName

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from harness.run import Schedule

PLATEAU_PATIENCE = 3


class Constant:
    """The learning rate stays as it is."""

    def after_step(self) -> None:
        """Do nothing."""

    def after_epoch(self, metric: float) -> None:
        """Do nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


class PerEpoch:
    """Steps a torch schedule once an epoch.

    Args:
        inner: any of torch's schedules; ``ReduceLROnPlateau`` gets the *select* F1.
    """

    def __init__(self, inner: LRScheduler) -> None:
        self._inner = inner

    def after_step(self) -> None:
        """Do nothing."""

    def after_epoch(self, metric: float) -> None:
        """Step the schedule."""
        if isinstance(self._inner, ReduceLROnPlateau):
            self._inner.step(metric)
        else:
            self._inner.step()

    def state_dict(self) -> dict[str, Any]:
        """The schedule's own, without what only the constructor sets."""
        state: dict[str, Any] = self._inner.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the schedule."""
        self._inner.load_state_dict(state)


class PerStep(PerEpoch):
    """Steps a torch schedule after each optimizer step, as OneCycleLR wants it."""

    def after_step(self) -> None:
        """Step the schedule."""
        self._inner.step()

    def after_epoch(self, metric: float) -> None:
        """Do nothing."""


def make_schedule(name: ScheduleName, optimizer: Optimizer, epochs: int) -> Schedule:
    """Make one of the loop's own schedules."""
    match name:
        case ScheduleName.CONSTANT:
            return Constant()
        case ScheduleName.PLATEAU:
            return PerEpoch(
                ReduceLROnPlateau(optimizer, mode="max", factor=0.5, patience=PLATEAU_PATIENCE)
            )
        case ScheduleName.COSINE:
            return PerEpoch(CosineAnnealingLR(optimizer, T_max=epochs))
