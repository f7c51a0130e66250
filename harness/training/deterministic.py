"""The same bits every time on a GPU, where kernels add in whatever order threads arrive.

Source: https://docs.pytorch.org/docs/stable/notes/randomness.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import MutableMapping

WORKSPACE: Final = "CUBLAS_WORKSPACE_CONFIG"
_FIXED: Final = ":4096:8"


def make_deterministic(device: torch.device, environment: MutableMapping[str, str]) -> None:
    """Choose deterministic kernels from now on, in this process; on a CPU they already are.

    Called before a model is built, since cuBLAS reads its workspace when it is first used. An
    operation that has no deterministic kernel raises from now on.

    Args:
        device: of the training.
        environment: of this process and of those that it starts.
    """
    if device.type != "cuda":
        return
    environment.setdefault(WORKSPACE, _FIXED)
    torch.use_deterministic_algorithms(mode=True)
    torch.backends.cudnn.benchmark = False
