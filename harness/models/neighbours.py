"""Sums over neighbours without a message per edge.

A sum over the rows of a compressed adjacency is an embedding bag: the kernel reads each source
once and writes each node once, where gather and scatter write and read ``[E, H]`` messages. The
adjacency of the data is its own transpose, so the backward pass is the same kernel. Sums are in
fp32 whatever the input: a sum rounded to bf16 at each addition stops growing at 256 terms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.graphs.adjacency import Neighbours


def usable(rows: Neighbours | None, x: torch.Tensor) -> bool:
    """Whether the fast sums may stand in for messages: on the CPU, on symmetric adjacency."""
    return rows is not None and rows.symmetric and x.device.type == "cpu"


def at_least_fp32(x: torch.Tensor) -> torch.Tensor:
    """The tensor in fp32, or in fp64 where it is: what sums over nodes are taken in."""
    return x if x.dtype == torch.float64 else x.float()


def neighbour_sum(
    x: torch.Tensor,
    rows: Neighbours,
    weight: torch.Tensor | None = None,
    reverse_weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """Sum ``weight[e] * x[source[e]]`` over the edges into each node: ``[N, H]`` -> ``[N, H]``.

    Args:
        x: ``[N, H]``.
        rows: a symmetric adjacency.
        weight: ``[E]`` float32 constants, or None for 1.
        reverse_weight: ``[E]``, the weight of each edge's reverse; where left out, ``weight``
            itself, which is then the same both ways.
    """
    back = weight if reverse_weight is None else reverse_weight
    apply: Callable[..., torch.Tensor] = _NeighbourSum.apply
    return apply(at_least_fp32(x), rows, weight, back)


def bag(x: torch.Tensor, rows: Neighbours, weight: torch.Tensor | None) -> torch.Tensor:
    """The kernel: sum ``x[source]`` over each row, weighted; no gradient."""
    weight = None if weight is None else weight.to(x.dtype)
    return _bag(x, rows.source, rows.row_ptr, weight)


def _bag(
    x: torch.Tensor, index: torch.Tensor, ends: torch.Tensor, weight: torch.Tensor | None
) -> torch.Tensor:
    return functional.embedding_bag(
        index, x, ends, mode="sum", per_sample_weights=weight, include_last_offset=True
    )


class _NeighbourSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        rows: Neighbours,
        weight: torch.Tensor | None,
        reverse_weight: torch.Tensor | None,
    ) -> torch.Tensor:
        ctx.rows, ctx.reverse_weight = rows, reverse_weight
        return bag(x, rows, weight)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        return bag(grads[0].contiguous(), ctx.rows, ctx.reverse_weight), None, None, None


def attention_sum(
    x: torch.Tensor,
    source_logit: torch.Tensor,
    target_logit: torch.Tensor,
    rows: Neighbours,
    slope: float,
) -> torch.Tensor:
    """Sum over neighbours and the node itself, weighted by attention: ``[N, K, C]`` -> the same.

    The weight of edge j -> i is the softmax over i's edges and i itself of
    ``leaky_relu(source_logit[j] + target_logit[i])``, for each of the ``K`` heads.

    Args:
        x: ``[N, K, C]``.
        source_logit: ``[N, K]``.
        target_logit: ``[N, K]``.
        rows: a symmetric adjacency without self-loops.
        slope: of the leaky ReLU.

    Source: Velickovic et al., "Graph Attention Networks", ICLR 2018, equations 3 and 4.
    """
    apply: Callable[..., torch.Tensor] = _AttentionSum.apply
    return apply(
        at_least_fp32(x), at_least_fp32(source_logit), at_least_fp32(target_logit), rows, slope
    )


class _Heads:
    """The rows repeated for each head, over nodes laid out head by head: ``[K N, C]``."""

    def __init__(self, rows: Neighbours, nodes: int, heads: int) -> None:
        head = torch.arange(heads, dtype=torch.int32)[:, None]
        self.index = (rows.source + head * nodes).view(-1)
        starts = (rows.row_ptr[:-1] + head * len(rows.source)).view(-1)
        self.offsets = torch.cat([starts, starts.new_tensor([len(self.index)])])
        self.bag_of = (rows.target + head * nodes).view(-1)

    def sum(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """``[K N, C]``, weighted by ``[K E]``."""
        return _bag(x, self.index, self.offsets, weight)

    def dot(self, at_target: torch.Tensor, at_source: torch.Tensor) -> torch.Tensor:
        """``[K E]``: the product of both ends' vectors ``[K N, C]``, for each edge."""
        backward = torch.ops.aten._embedding_bag_per_sample_weights_backward  # noqa: SLF001
        product: torch.Tensor = backward(
            at_target, at_source, self.index, self.offsets, self.bag_of.int(), 0, -1
        )
        return product


class _AttentionSum(torch.autograd.Function):
    """Forward and backward over rows alone.

    With a symmetric adjacency, what a node receives back from its out-edges can be read at its
    own row: at the entry of neighbour i in row j, the weight of j -> i is computed anew from the
    logits of both ends and i's normaliser. So nothing is scattered, and no permutation is kept.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        source_logit: torch.Tensor,
        target_logit: torch.Tensor,
        rows: Neighbours,
        slope: float,
    ) -> torch.Tensor:
        nodes, heads, width = x.shape
        by_head = x.transpose(0, 1).reshape(heads * nodes, width)
        plan = _Heads(rows, nodes, heads)
        s, d = source_logit.t().contiguous(), target_logit.t().contiguous()
        source = rows.source.long()
        edge = functional.leaky_relu(s[:, source] + d[:, rows.target], slope)
        own = functional.leaky_relu(s + d, slope)
        top = own.scatter_reduce(1, rows.target.expand(heads, -1), edge, "amax")
        edge_weight = (edge - top[:, rows.target]).exp_()
        own_weight = (own - top).exp_()
        norm = own_weight + _row_sums(edge_weight, rows)
        edge_weight /= norm[:, rows.target]
        own_weight /= norm
        out = plan.sum(by_head, edge_weight.view(-1))
        out.addcmul_(by_head, own_weight.view(-1, 1))
        ctx.rows, ctx.slope, ctx.plan, ctx.source = rows, slope, plan, source
        ctx.save_for_backward(by_head, s, d, top, norm, edge_weight, own_weight)
        return out.view(heads, nodes, width).transpose(0, 1)

    @staticmethod
    def backward(
        ctx: Any, *grads: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, None, None]:
        by_head, s, d, top, norm, edge_weight, own_weight = ctx.saved_tensors
        rows, slope, plan, source = ctx.rows, ctx.slope, ctx.plan, ctx.source
        nodes, heads, width = grads[0].shape
        grad = grads[0].transpose(0, 1).reshape(heads * nodes, width)
        # Edge j -> i at its own entry in row i.
        own_gain = (grad * by_head).sum(1).view(heads, nodes)
        gain = plan.dot(grad, by_head).view(heads, -1)
        mean = own_weight * own_gain + _row_sums(edge_weight * gain, rows)
        own_slope = torch.where(s + d > 0, 1.0, slope)
        own_grad = own_weight * (own_gain - mean) * own_slope
        edge_slope = torch.where(s[:, source] + d[:, rows.target] > 0, 1.0, slope)
        edge_grad = edge_weight * (gain - mean[:, rows.target]) * edge_slope
        target_grad = own_grad + _row_sums(edge_grad, rows)
        # Edge j -> i at the entry of i in row j, where ``source`` is i and ``target`` is j.
        logit = s[:, rows.target] + d[:, source]
        back = functional.leaky_relu(logit, slope)
        back_weight = (back - top[:, source]).exp_() / norm[:, source]
        back_gain = plan.dot(by_head, grad).view(heads, -1)
        back_grad = back_weight * (back_gain - mean[:, source]) * torch.where(logit > 0, 1.0, slope)
        source_grad = own_grad + _row_sums(back_grad, rows)
        x_grad = plan.sum(grad, back_weight.view(-1))
        x_grad.addcmul_(grad, own_weight.view(-1, 1))
        x_grad = x_grad.view(heads, nodes, width).transpose(0, 1)
        return x_grad, source_grad.t(), target_grad.t(), None, None


def _row_sums(values: torch.Tensor, rows: Neighbours) -> torch.Tensor:
    """Sum ``[K, E]`` over the edges of each row: ``[K, N]``."""
    running = torch.zeros(len(values), values.shape[1] + 1, dtype=torch.float64)
    torch.cumsum(values, 1, dtype=torch.float64, out=running[:, 1:])
    ends = rows.row_ptr.long()
    return (running[:, ends[1:]] - running[:, ends[:-1]]).to(values.dtype)
