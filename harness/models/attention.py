"""Graph attention over rows: softmax and weighted sum without a message per edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from harness.compiled import compiled
from harness.models.neighbours import at_least_fp32, by_kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.graphs.adjacency import Kinds, Rows

    Array = NDArray[Any]


def attend(
    x: torch.Tensor,
    logits: torch.Tensor,
    rows: Rows,
    slope: float,
    kinds: Kinds | None = None,
) -> torch.Tensor:
    """Sum over the places that each row names, weighted by attention: ``[N, K, C]`` -> the same.

    The weight of entry j of row i is the softmax over that row of
    ``leaky_relu(logits[j, 0] + logits[i, 1])``, for each of the ``K`` heads.

    Args:
        x: ``[N, K, C]``, or ``[U, K, C]`` with ``kinds``.
        logits: ``[N, 2, K]`` or ``[U, 2, K]``, of each node as source and as target.
        rows: of neighbours, with the node itself.
        slope: of the leaky ReLU.
        kinds: given where ``x`` and ``logits`` have a row for each kind of node.

    Source: Velickovic et al., "Graph Attention Networks", ICLR 2018, equations 3 and 4.
    """
    apply: Callable[..., torch.Tensor] = _Attend.apply
    return apply(at_least_fp32(x), at_least_fp32(logits), rows, slope, kinds)


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        logits: torch.Tensor,
        rows: Rows,
        slope: float,
        kinds: Kinds | None,
    ) -> torch.Tensor:
        places = by_kind(rows, kinds)
        own = places.index[rows.ends[:-1].long()]
        x, logits = x.contiguous(), logits.contiguous()
        weight = logits.new_empty(logits.shape[2], len(places.index))
        out = x.new_empty(len(own), *x.shape[1:])
        where = rows.ends.numpy(), places.index.numpy()
        _below_top(where, own.numpy(), logits.detach().numpy(), slope, weight.numpy())
        # One call for all entries: torch's exponential takes many numbers at a time.
        weight.exp_()
        _weigh(where, x.detach().numpy(), weight.numpy(), out.numpy())
        ctx.places, ctx.own, ctx.slope = places, own, slope
        ctx.save_for_backward(x, logits, weight)
        return out

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, None, None, None]:
        x, logits, weight = ctx.saved_tensors
        x_grad, logits_grad = torch.zeros_like(x), torch.zeros_like(logits)
        _scatter_gradients(
            (ctx.places.ends.numpy(), ctx.places.index.numpy(), ctx.own.numpy()),
            (x.numpy(), logits.numpy(), weight.numpy()),
            grad.contiguous().numpy(),
            ctx.slope,
            (x_grad.numpy(), logits_grad.numpy()),
        )
        return x_grad, logits_grad, None, None, None


@compiled
def _below_top(
    where: tuple[Array, Array], own: Array, logits: Array, slope: float, weight: Array
) -> None:
    """Each entry's logit less the largest of its row: ``weight`` ``[K, E]``."""
    ends, index = where
    for node in range(len(own)):
        begin, end = ends[node], ends[node + 1]
        for head in range(logits.shape[2]):
            target = logits[own[node], 1, head]
            entries = weight[head]
            top = logits.dtype.type(-np.inf)
            for at in range(begin, end):
                logit = logits[index[at], 0, head] + target
                if logit < 0:
                    logit *= slope
                entries[at] = logit
                top = max(top, logit)
            for at in range(begin, end):
                entries[at] -= top


@compiled
def _weigh(where: tuple[Array, Array], x: Array, weight: Array, out: Array) -> None:
    """Let the weights of each row add up to 1, and sum by them."""
    ends, index = where
    heads, width = x.shape[1], x.shape[2]
    for node in range(len(out)):
        begin, end = ends[node], ends[node + 1]
        for head in range(heads):
            entries, target = weight[head], out[node, head]
            total = x.dtype.type(0)
            for at in range(begin, end):
                total += entries[at]
            scale = x.dtype.type(1) / total
            for one in range(width):
                target[one] = 0
            for at in range(begin, end):
                entries[at] *= scale
                share, source = entries[at], x[index[at], head]
                for one in range(width):
                    target[one] += share * source[one]


@compiled
def _scatter_gradients(
    places: tuple[Array, Array, Array],
    kept: tuple[Array, Array, Array],
    grad: Array,
    slope: float,
    found: tuple[Array, Array],
) -> None:
    ends, index, own = places
    x, logits, weight = kept
    x_grad, logits_grad = found
    heads, width = x.shape[1], x.shape[2]
    longest = 0
    for node in range(len(own)):
        longest = max(longest, ends[node + 1] - ends[node])
    weight_grad = np.empty(longest, x.dtype)
    for node in range(len(own)):
        here, begin, end = own[node], ends[node], ends[node + 1]
        for head in range(heads):
            received = grad[node, head]
            mean = x.dtype.type(0)
            for at in range(begin, end):
                share = weight[head, at]
                source, source_grad = x[index[at], head], x_grad[index[at], head]
                product = x.dtype.type(0)
                for one in range(width):
                    product += received[one] * source[one]
                for one in range(width):
                    source_grad[one] += share * received[one]
                weight_grad[at - begin] = product
                mean += share * product
            target = logits[here, 1, head]
            target_grad = x.dtype.type(0)
            for at in range(begin, end):
                logit_grad = weight[head, at] * (weight_grad[at - begin] - mean)
                if logits[index[at], 0, head] + target < 0:
                    logit_grad *= slope
                logits_grad[index[at], 0, head] += logit_grad
                target_grad += logit_grad
            logits_grad[here, 1, head] += target_grad
