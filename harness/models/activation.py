"""ReLU and dropout in one pass over memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from harness.compiled import compiled
from harness.models.neighbours import at_least_fp32

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]

_LEVELS = 1 << 16
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
        seed = int(torch.empty((), dtype=torch.int64).random_(_LOWEST, None))
        return apply(x, self.probability, seed)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.probability}"


class _ReLUDropout(torch.autograd.Function):
    """The output alone says what was kept: the gradient passes where it is not zero."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, probability: float, seed: int) -> torch.Tensor:
        zeros = min(round(probability * _LEVELS), _LEVELS - 1)
        ctx.scale = _LEVELS / (_LEVELS - zeros)
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        _activate(x.detach().contiguous().numpy(), seed, zeros, ctx.scale, out.numpy())
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (out,) = ctx.saved_tensors
        x_grad = torch.empty_like(out)
        _pass_back(grad.contiguous().numpy(), out.numpy(), ctx.scale, x_grad.numpy())
        return x_grad, None, None


@compiled
def _activate(x: Array, seed: int, zeros: int, scale: float, out: Array) -> None:
    nodes, width = x.shape
    numbers = np.empty((width + 3) // 4, np.uint64)
    bits = numbers.view(np.uint16)
    factor, nothing, lowest = x.dtype.type(scale), x.dtype.type(0), np.uint16(zeros)
    state = np.uint64(seed)
    for node in range(nodes):
        for one in range(len(numbers)):
            state += np.uint64(0x9E3779B97F4A7C15)
            mixed = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            numbers[one] = mixed ^ (mixed >> np.uint64(31))
        source, target = x[node], out[node]
        for one in range(width):
            # Written so that NaN is kept as it is.
            dropped = source[one] <= nothing or bits[one] < lowest
            target[one] = nothing if dropped else source[one] * factor


@compiled
def _pass_back(grad: Array, out: Array, scale: float, x_grad: Array) -> None:
    nodes, width = grad.shape
    factor, nothing = grad.dtype.type(scale), grad.dtype.type(0)
    for node in range(nodes):
        source, kept, target = grad[node], out[node], x_grad[node]
        for one in range(width):
            target[one] = source[one] * factor if kept[one] != nothing else nothing
