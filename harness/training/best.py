"""The chosen epoch: best *select* F1 so far, with the weights that reached it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.result import EpochRecord

if TYPE_CHECKING:
    import torch
    from torch import nn


class Best:
    """Keeps the weights of the epoch with the largest *select* F1; the first of equals.

    An epoch whose loss is NaN or infinite is never chosen.
    """

    def __init__(self) -> None:
        self.record: EpochRecord | None = None
        self.state: dict[str, torch.Tensor] = {}

    @property
    def epoch(self) -> int:
        """The chosen epoch, -1 before the first."""
        return -1 if self.record is None else self.record.epoch

    def offer(self, record: EpochRecord, model: nn.Module) -> bool:
        """Keep the epoch if it is better; returns whether it was."""
        if not (math.isfinite(record.train_loss) and math.isfinite(record.select_loss)):
            return False
        if self.record is not None and record.f1 <= self.record.f1:
            return False
        self.record = record
        self.state = {
            name: value.detach().to("cpu", copy=True) for name, value in model.state_dict().items()
        }
        return True

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        record = None if self.record is None else self.record.model_dump()
        return {"record": record, "state": self.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore from ``state_dict()``."""
        stored = state["record"]
        self.record = None if stored is None else EpochRecord.model_validate(stored)
        self.state = state["state"]
