"""Dropout whose random bits are drawn sixteen to a number of torch's generator."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

_LEVELS = 1 << 16
_LOWEST = torch.iinfo(torch.int64).min


class Dropout(nn.Module):
    """Zero each element with a probability and scale the others up, as ``torch.nn.Dropout`` does.

    On the CPU torch draws one random number an element, which costs more than a layer's sums.
    Here each 64-bit number of torch's generator serves four elements; the probability is rounded
    to a multiple of 2^-16. Elsewhere this is ``torch.nn.functional.dropout``.

    Args:
        probability: of zero, in [0, 1).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drop in training, pass through in evaluation; any shape."""
        if not self.training or not self.probability:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.probability, training=True)
        return x * multipliers(x, self.probability)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.probability}"


def multipliers(x: torch.Tensor, probability: float) -> torch.Tensor:
    """Draw what each element of ``x`` is multiplied by, 0 or the scale: of its shape and type."""
    numbers = torch.empty((x.numel() + 3) // 4, dtype=torch.int64)
    bits = numbers.random_(_LOWEST, None).view(torch.int16)[: x.numel()]
    zeros = min(round(probability * _LEVELS), _LEVELS - 1)
    drawn = torch.empty(x.numel(), dtype=x.dtype)
    torch.ge(bits, zeros - _LEVELS // 2, out=drawn)
    return drawn.mul_(_LEVELS / (_LEVELS - zeros)).view(x.shape)
