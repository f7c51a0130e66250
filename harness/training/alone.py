"""A run that one process has to itself: what the loop asks where no feature shares it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from harness.models import call_model

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from harness.graphs.batch import GraphBatch


class Alone:
    """The only rank there is; see ``harness.run.DataParallel``."""

    rank, world = 0, 1

    def forward(self, model: nn.Module) -> Callable[[GraphBatch], torch.Tensor]:
        """The model's logits."""
        return partial(call_model, model)

    def share(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """All of them."""
        return places

    def gather(self, values: torch.Tensor, count: int) -> torch.Tensor:
        """The values as they are."""
        del count
        return values

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """The value itself."""
        return value

    def slowest(self, seconds: float) -> float:
        """The seconds themselves."""
        return seconds

    def settle(self, model: nn.Module) -> None:
        """There is nothing to agree on."""
