"""The network of a GIN layer by tiles: sum, linear layer, BatchNorm, ReLU, linear layer.

Mean and deviation of the norm depend on all nodes of a batch, so that there are two passes: up to
the norm, and from it on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from harness.models import blas, fused, loops
from harness.models.fused import array, turned

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

OFF: loops.Finish = (False, 0, 0, 1.0)


def sum_and_transform(
    x: torch.Tensor, layers: tuple[nn.Linear, nn.BatchNorm1d, nn.Linear], how: fused.How
) -> torch.Tensor:
    """Sum, multiply, normalise, ReLU, multiply, activate: ``[N, I]`` or ``[V, I]`` -> ``[N, H]``.

    In training the norm's running figures are moved on, as its own ``forward`` does. In evaluation
    they are what is used, and no gradient can be taken.

    Args:
        x: states, of each word where there are kinds.
        layers: all of them with a bias.
        how: what is summed at each node; rows and kinds; the end of the activation.
    """
    apply: Callable[..., torch.Tensor] = _SumAndTransform.apply
    first, norm, second = layers
    before, after = first.weight.contiguous(), second.weight.contiguous()
    weights = before, first.bias, norm.weight, norm.bias, after, second.bias
    return apply((norm, how), x.contiguous(), *weights)


class _SumAndTransform(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, how: tuple[nn.BatchNorm1d, fused.How], x: torch.Tensor, *weights: torch.Tensor
    ) -> torch.Tensor:
        norm, (aggregation, place, finish) = how
        first, first_bias, scale, shift, second, second_bias = weights
        before = aggregation, place, OFF
        hidden = fused.forward(x, first, None, first_bias, before)
        mean, variance = _moments(hidden, norm) if norm.training else _running(norm)
        inverse = (variance + norm.eps).rsqrt()
        slope = scale.double() * inverse
        line = slope.to(x.dtype), (shift.double() - mean * slope).to(x.dtype)
        out = x.new_empty(len(hidden), len(second_bias))
        loops.normal_forward(
            place[0].tiles, hidden.numpy(), (array(line[0]), array(line[1])),
            (turned(second), array(second_bias)), (finish, blas.small(), None), out.numpy(),
        )  # fmt: skip
        ctx.before, ctx.finish = before, finish
        normal = *line, mean.to(x.dtype), inverse.to(x.dtype)
        ctx.save_for_backward(x, first, hidden, second, out, *normal)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, first, hidden, second, out, *figures = ctx.saved_tensors
        slope, offset, mean, inverse = (one.numpy() for one in figures)
        hidden_grad, second_grad = torch.empty_like(hidden), torch.zeros_like(second)
        columns = scale_grad, shift_grad, bias_grad = (
            np.zeros(len(first)), np.zeros(len(first)), np.zeros(len(second))
        )  # fmt: skip
        loops.normal_backward(
            ctx.before[1][0].tiles,
            (hidden.numpy(), second.numpy(), out.numpy(), grad.contiguous().numpy()),
            (slope, offset), (mean, inverse), (ctx.finish, blas.small(), None),
            (hidden_grad.numpy(), second_grad.numpy(), bias_grad, scale_grad, shift_grad),
        )  # fmt: skip
        # Source: Ioffe and Szegedy, "Batch Normalization", ICML 2015, section 3.
        shared = (shift_grad / len(hidden)).astype(mean.dtype)
        tilt = (scale_grad / len(hidden) * inverse).astype(mean.dtype)
        x_grad, first_grad, _, first_bias_grad = fused.backward(
            (x, first, None, hidden), hidden_grad, ctx.before, (slope, mean, shared, tilt)
        )
        scale_found, shift_found, bias_found = (
            torch.from_numpy(one).to(grad.dtype) for one in columns
        )
        return (
            None, x_grad, first_grad, first_bias_grad, scale_found, shift_found,
            second_grad, bias_found,
        )  # fmt: skip


def _moments(x: torch.Tensor, norm: nn.BatchNorm1d) -> tuple[torch.Tensor, torch.Tensor]:
    mean, variance = (torch.from_numpy(one) for one in loops.moments(x.numpy()))
    _move_on(norm, mean, variance * (len(x) / (len(x) - 1)))
    return mean, variance


def _running(norm: nn.BatchNorm1d) -> tuple[torch.Tensor, torch.Tensor]:
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        message = "a norm without running figures has none to evaluate with"
        raise ValueError(message)
    return mean.double(), variance.double()


def _move_on(norm: nn.BatchNorm1d, mean: torch.Tensor, variance: torch.Tensor) -> None:
    for figure, now in ((norm.running_mean, mean), (norm.running_var, variance)):
        if figure is not None and norm.momentum is not None:
            figure.lerp_(now.to(figure.dtype), norm.momentum)
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
