"""A layer and its activation by tiles: what one step writes, the next reads from the cache.

A layer's products, sums, bias, ReLU and dropout each read and write all states of a batch, which
are larger than a core's cache, and a product of a tile that is in the cache is faster too. Edges
never leave a graph, so that a tile of whole graphs can take all steps before the next one begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from harness.models import loops
from harness.models.neighbours import by_kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from harness.graphs.adjacency import Aggregation, Kinds, Neighbours, Rows

    _How = tuple[Aggregation, tuple[Neighbours, Kinds | None], loops.Finish]

OFF: loops.Finish = (False, 0, 0, 1.0)


def sum_products(
    x: torch.Tensor, weights: tuple[torch.Tensor, torch.Tensor | None], bias: torch.Tensor,
    aggregation: Aggregation, place: tuple[Neighbours, Kinds | None], finish: loops.Finish,
) -> torch.Tensor:  # fmt: skip
    """Sum products over neighbours, and activate: ``[N, I]`` or ``[U, I]`` -> ``[N, H]``.

    Args:
        x: states, of each kind where there are kinds.
        weights: ``[H, I]`` each, the factor of what is summed, and the factor of a node's own
            state, which is added, or None.
        bias: ``[H]``.
        aggregation: what is summed at each node.
        place: the batch's rows, and kinds where ``x`` has a row for each kind.
        finish: of the activation.
    """
    apply: Callable[..., torch.Tensor] = _SumProducts.apply
    return apply(x.contiguous(), *weights, bias, (aggregation, place, finish))


def normalise_and_multiply(
    x: torch.Tensor, norm: nn.BatchNorm1d, linear: nn.Linear, rows: Neighbours,
    finish: loops.Finish,
) -> torch.Tensor:  # fmt: skip
    """BatchNorm, ReLU, linear layer, activation: ``[N, I]`` -> ``[N, H]``.

    The norm's running figures are moved on, as its own ``forward`` does in training.
    """
    apply: Callable[..., torch.Tensor] = _NormaliseAndMultiply.apply
    x = x.contiguous()
    mean, variance = (torch.from_numpy(one) for one in loops.moments(x.detach().numpy()))
    _move_on(norm, mean, variance * (len(x) / (len(x) - 1)))
    how = mean, (variance + norm.eps).rsqrt(), rows, finish
    return apply(x, norm.weight, norm.bias, linear.weight, linear.bias, how)


def _move_on(norm: nn.BatchNorm1d, mean: torch.Tensor, variance: torch.Tensor) -> None:
    with torch.no_grad():
        for figure, now in ((norm.running_mean, mean), (norm.running_var, variance)):
            if figure is not None and norm.momentum is not None:
                figure.lerp_(now.to(figure.dtype), norm.momentum)
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)


class _SumProducts(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, own: torch.Tensor | None,
        bias: torch.Tensor, how: _How,
    ) -> torch.Tensor:  # fmt: skip
        aggregation, (neighbours, kinds), finish = how
        rows = by_kind(aggregation.rows, kinds)
        out = x.new_empty(len(rows.ends) - 1, len(bias))
        loops.sum_forward(
            neighbours.tiles, _array(None if kinds is None else kinds.of_node),
            (rows.ends.numpy(), rows.index.numpy()), _array(aggregation.weight),
            (_array(x), _stack(weight, own), _array(bias)), finish, out.numpy(),
        )  # fmt: skip
        ctx.how = how
        ctx.save_for_backward(x, weight, own, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight, own, out = ctx.saved_tensors
        of, (neighbours, kinds), finish = ctx.how
        rows: Rows = of.transposed
        stack = _stack(weight, own)
        x_grad, stack_grad = torch.empty_like(x), torch.zeros(stack.shape, dtype=x.dtype)
        bias_grad = np.zeros(grad.shape[1])
        loops.sum_backward(
            neighbours.tiles, _array(None if kinds is None else kinds.of_node),
            (rows.ends.numpy(), rows.index.numpy()), _array(of.transposed_weight),
            (x.numpy(), stack, out.numpy(), grad.contiguous().numpy()), finish,
            (x_grad.numpy(), stack_grad.numpy(), bias_grad),
        )  # fmt: skip
        weight_grad, own_grad = stack_grad[: len(weight)], stack_grad[len(weight) :]
        bias_found = torch.from_numpy(bias_grad).to(grad.dtype)
        return x_grad, weight_grad, None if own is None else own_grad, bias_found, None


class _NormaliseAndMultiply(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, weight: torch.Tensor,
        bias: torch.Tensor, how: tuple[torch.Tensor, torch.Tensor, Neighbours, loops.Finish],
    ) -> torch.Tensor:  # fmt: skip
        mean, inverse, rows, finish = how
        slope = scale.double() * inverse
        line = slope.to(x.dtype), (shift.double() - mean * slope).to(x.dtype)
        out = x.new_empty(len(x), len(bias))
        loops.normal_forward(
            rows.tiles, _array(x), (_array(line[0]), _array(line[1])),
            (_array(weight), _array(bias)), finish, out.numpy(),
        )  # fmt: skip
        ctx.rows, ctx.finish = rows, finish
        ctx.save_for_backward(x, weight, out, *line, mean.to(x.dtype), inverse.to(x.dtype))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight, out, slope, offset, mean, inverse = ctx.saved_tensors
        x_grad, weight_grad = torch.empty_like(x), torch.zeros_like(weight)
        bias_grad = np.zeros(grad.shape[1])
        scale_grad, shift_grad = np.zeros(x.shape[1]), np.zeros(x.shape[1])
        loops.normal_backward(
            ctx.rows.tiles, (x.numpy(), weight.numpy(), out.numpy(), grad.contiguous().numpy()),
            (slope.numpy(), offset.numpy()), (mean.numpy(), inverse.numpy()), ctx.finish,
            (x_grad.numpy(), weight_grad.numpy(), bias_grad, scale_grad, shift_grad),
        )  # fmt: skip
        columns = (
            torch.from_numpy(one).to(grad.dtype) for one in (scale_grad, shift_grad, bias_grad)
        )
        scale_found, shift_found, bias_found = columns
        return x_grad, scale_found, shift_found, weight_grad, bias_found, None


def _array(tensor: torch.Tensor | None) -> Any:
    return None if tensor is None else tensor.detach().numpy()


def _stack(weight: torch.Tensor, own: torch.Tensor | None) -> Any:
    """``[H, I]``, or with another below it ``[2 H, I]``."""
    return _array(weight.contiguous() if own is None else torch.cat([weight, own]))
