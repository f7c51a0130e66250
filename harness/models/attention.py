"""Graph attention over rows: softmax and weighted sum without a message per edge."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from harness.compiled import compiled
from harness.models.neighbours import at_least_fp32, bag, by_kind

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
    """Backward needs no second softmax.

    The mean over i's entries of what their weights receive is the product of i's output and what
    that receives, as in Dao et al., "FlashAttention", NeurIPS 2022, section 3.1.
    """

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
        share = _shares(
            rows.ends.numpy(), places.index.numpy(), own.numpy(), logits.detach().numpy(), slope
        )
        weight = torch.from_numpy(share)
        heads = [bag(x[:, k].contiguous(), places, weight[k]) for k in range(x.shape[1])]
        out = torch.stack(heads, dim=1)
        ctx.places, ctx.own, ctx.slope = places, own, slope
        ctx.save_for_backward(x, logits, weight, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, None, None, None]:
        x, logits, weight, out = ctx.saved_tensors
        x_grad, logits_grad = torch.zeros_like(x), torch.zeros_like(logits)
        _scatter_gradients(
            (ctx.places.ends.numpy(), ctx.places.index.numpy(), ctx.own.numpy()),
            (x.numpy(), logits.numpy(), weight.numpy(), out.numpy()),
            grad.contiguous().numpy(),
            ctx.slope,
            (x_grad.numpy(), logits_grad.numpy()),
        )
        return x_grad, logits_grad, None, None, None


@compiled
def _shares(ends: Array, index: Array, own: Array, logits: Array, slope: float) -> Array:
    heads = logits.shape[2]
    share = np.empty((heads, len(index)), logits.dtype)
    for node in range(len(own)):
        begin, end = ends[node], ends[node + 1]
        for head in range(heads):
            target = logits[own[node], 1, head]
            weight = share[head]
            top = -np.inf
            for at in range(begin, end):
                logit = logits[index[at], 0, head] + target
                if logit < 0:
                    logit *= slope
                weight[at] = logit
                top = max(top, logit)
            total = 0.0
            for at in range(begin, end):
                weight[at] = math.exp(weight[at] - top)
                total += weight[at]
            for at in range(begin, end):
                weight[at] /= total
    return share


@compiled
def _scatter_gradients(
    places: tuple[Array, Array, Array],
    kept: tuple[Array, Array, Array, Array],
    grad: Array,
    slope: float,
    found: tuple[Array, Array],
) -> None:
    ends, index, own = places
    x, logits, weight, out = kept
    x_grad, logits_grad = found
    heads, width = x.shape[1], x.shape[2]
    for node in range(len(own)):
        here = own[node]
        for head in range(heads):
            received = grad[node, head]
            result = out[node, head]
            mean = x.dtype.type(0)
            for one in range(width):
                mean += received[one] * result[one]
            target = logits[here, 1, head]
            target_grad = x.dtype.type(0)
            for at in range(ends[node], ends[node + 1]):
                place = index[at]
                share = weight[head, at]
                source = x[place, head]
                source_grad = x_grad[place, head]
                product = x.dtype.type(0)
                for one in range(width):
                    product += received[one] * source[one]
                for one in range(width):
                    source_grad[one] += share * received[one]
                logit_grad = share * (product - mean)
                if logits[place, 0, head] + target < 0:
                    logit_grad *= slope
                logits_grad[place, 0, head] += logit_grad
                target_grad += logit_grad
            logits_grad[here, 1, head] += target_grad
