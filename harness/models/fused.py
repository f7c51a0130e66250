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

from harness.models import blas, loops
from harness.models.neighbours import by_kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.graphs.adjacency import Aggregation, Kinds, Neighbours, Rows

    How = tuple[Aggregation, tuple[Neighbours, Kinds | None], loops.Finish]


def sum_products(
    x: torch.Tensor, weights: tuple[torch.Tensor, torch.Tensor | None], bias: torch.Tensor,
    how: How,
) -> torch.Tensor:  # fmt: skip
    """Sum products over neighbours, and activate: ``[N, I]`` or ``[V, I]`` -> ``[N, H]``.

    Args:
        x: states, of each word where there are kinds; a node's is then the sum of its two words'.
        weights: ``[H, I]`` each, the factor of what is summed, and the factor of a node's own
            state, which is added, or None.
        bias: ``[H]``.
        how: what is summed at each node; the batch's rows, and kinds where ``x`` has a row for
            each of their words; the end of the activation.
    """
    apply: Callable[..., torch.Tensor] = _SumProducts.apply
    of_sum, own = (None if weight is None else weight.contiguous() for weight in weights)
    return apply(x.contiguous(), of_sum, own, bias, how)


def forward(
    x: torch.Tensor, weight: torch.Tensor, own: torch.Tensor | None, bias: torch.Tensor, how: How
) -> torch.Tensor:
    """What ``sum_products`` gives, without a gradient."""
    aggregation, (neighbours, kinds), finish = how
    rows = by_kind(aggregation.rows, kinds)
    out = x.new_empty(len(rows.ends) - 1, len(bias))
    sums = rows.ends.numpy(), rows.index.numpy(), array(aggregation.weight)
    states = array(x), turned(weight), array(bias)
    rest = sums, states, turned(own), (finish, blas.small(), None), out.numpy()
    if kinds is None:
        loops.sum_forward(neighbours.tiles, *rest)
    else:
        loops.sum_forward_of_words(neighbours.tiles, _named(kinds), *rest)
    return out


def backward(
    saved: tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor],
    grad: torch.Tensor, how: How, normal: loops.Normal | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor]:  # fmt: skip
    """The gradients of input, factors and bias.

    Args:
        saved: input, both factors, and what ``forward`` gave.
        grad: ``[N, H]``, of the output; of that of a norm that followed, where there was one.
        how: as ``forward`` was given it.
        normal: the figures of that norm.
    """
    x, weight, own, out = saved
    of, (neighbours, kinds), finish = how
    rows: Rows = of.transposed
    x_grad, weight_grad = torch.empty_like(x), torch.zeros_like(weight)
    own_grad = None if own is None else torch.zeros_like(own)
    bias_grad = np.zeros(grad.shape[1])
    sums = rows.ends.numpy(), rows.index.numpy(), array(of.transposed_weight)
    states = x.numpy(), array(weight), out.numpy(), grad.contiguous().numpy()
    found = x_grad.numpy(), weight_grad.numpy(), bias_grad
    rest = sums, states, (array(own), array(own_grad)), (finish, blas.small(), normal), found
    if kinds is None:
        loops.sum_backward(neighbours.tiles, *rest)
    else:
        loops.sum_backward_to_words(neighbours.tiles, _named(kinds), *rest)
    return x_grad, weight_grad, own_grad, torch.from_numpy(bias_grad).to(grad.dtype)


def array(tensor: torch.Tensor | None) -> Any:
    """The numbers of a tensor, shared with it."""
    return None if tensor is None else tensor.detach().numpy()


def turned(tensor: torch.Tensor | None) -> Any:
    """``[H, I]`` as ``[I, H]``, row by row."""
    return None if tensor is None else np.ascontiguousarray(array(tensor).T)


def _named(kinds: Kinds) -> Any:
    return kinds.of_node.numpy(), kinds.words.of_kind.numpy()


class _SumProducts(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, own: torch.Tensor | None,
        bias: torch.Tensor, how: How,
    ) -> torch.Tensor:  # fmt: skip
        out = forward(x, weight, own, bias, how)
        ctx.how = how
        ctx.save_for_backward(x, weight, own, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return *backward(ctx.saved_tensors, grad, ctx.how), None
