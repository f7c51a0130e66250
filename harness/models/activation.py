"""ReLU and dropout in one pass over memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from harness.models import loops
from harness.models.neighbours import at_least_fp32

if TYPE_CHECKING:
    from collections.abc import Callable

_LOWEST = torch.iinfo(torch.int64).min


class ReLUDropout(nn.Module):
    """``relu``, then zero each element with a probability and scale the others up in training.

    On the CPU torch draws one random number an element, which costs more than a layer's sums.
    Here one number of torch's generator seeds a SplitMix64 sequence, each of whose 64-bit numbers
    serves four elements; the probability is rounded to a multiple of 2^-16. Low precision comes
    out as fp32, which is what the next layer sums in. Elsewhere this is
    ``torch.nn.functional.dropout``.

    Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.

    Args:
        probability: of zero, in [0, 1).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Activate, and drop in training: ``[N, H]`` -> ``[N, H]``."""
        if x.device.type == "cpu":
            x = at_least_fp32(x)
        if not self.training or not self.probability:
            return functional.relu(x)
        if x.device.type != "cpu":
            return functional.dropout(functional.relu(x), self.probability, training=True)
        apply: Callable[..., torch.Tensor] = _ReLUDropout.apply
        return apply(x, self.finish())

    def finish(self) -> loops.Finish:
        """How a layer that activates its own output does it this time: draws a seed in training."""
        if not self.training or not self.probability:
            return 0, 0, 1.0
        zeros = min(round(self.probability * loops.LEVELS), loops.LEVELS - 1)
        seed = int(torch.empty((), dtype=torch.int64).random_(_LOWEST, None))
        return seed, zeros, loops.LEVELS / (loops.LEVELS - zeros)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.probability}"


class _ReLUDropout(torch.autograd.Function):
    """The output alone says what was kept: the gradient passes where it is not zero."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, finish: loops.Finish) -> torch.Tensor:
        _, _, ctx.scale = finish
        out = x.detach().clone(memory_format=torch.contiguous_format)
        loops.activate_rows(out.numpy(), None, finish, 0)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        (out,) = ctx.saved_tensors
        x_grad = torch.empty_like(out)
        given = grad.contiguous().numpy(), out.numpy(), ctx.scale, x_grad.numpy()
        loops.pass_back_rows(*given, None)
        return x_grad, None
