"""Clip the gradient of a step to a largest norm, after a scaler has taken its factor off.

Known limitations: one norm over all parameters, so that groups with rates of their own share one
limit, and a layer whose gradient is large shrinks every other layer's. A step whose gradient is
not finite is not mended: a gradient scaler skips it, and without one the run collapses.

Source: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks",
2013.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch


def clip(parameters: Iterable[nn.Parameter], limit: float) -> torch.Tensor:
    """The L2 norm ``[]`` over all gradients as they were; they are scaled in place to ``limit``.

    Args:
        parameters: those without a gradient are left out.
        limit: the largest norm; 0 leaves gradients as they are.
    """
    if limit:
        return nn.utils.clip_grad_norm_(parameters, limit)
    return nn.utils.get_total_norm([each.grad for each in parameters if each.grad is not None])
