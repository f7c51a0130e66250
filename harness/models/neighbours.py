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


_SAFE_SPREAD = 60.0  # exp(-60) is 1e-26, far above the smallest fp32


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
        self.bag_of = (rows.target.int() + head * nodes).view(-1)
        self.heads = heads

    def sum(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Sums ``[K N, C]`` of ``x`` ``[K N, C]``, weighted by ``[E, K]``."""
        return _bag(x, self.index, self.offsets, weight.t().reshape(-1))

    def dot(self, at_target: torch.Tensor, at_source: torch.Tensor) -> torch.Tensor:
        """``[E, K]``: the product of both ends' vectors ``[K N, C]``, for each edge."""
        backward = torch.ops.aten._embedding_bag_per_sample_weights_backward  # noqa: SLF001
        product: torch.Tensor = backward(
            at_target, at_source, self.index, self.offsets, self.bag_of, 0, -1
        )
        return product.view(self.heads, -1).t()


class _AttentionSum(torch.autograd.Function):
    """Forward and backward over rows alone: nothing is scattered.

    What a node receives back from its out-edges stands at the reverse entries of its own row. The
    mean over i's edges of what their weights receive is the product of i's output and what that
    receives, as in Dao et al., "FlashAttention", NeurIPS 2022, section 3.1.
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
        plan = _Heads(rows, nodes, heads)
        by_head = x.transpose(0, 1).reshape(heads * nodes, width)
        edge = source_logit.index_select(0, rows.source)
        edge += target_logit.index_select(0, rows.target)
        functional.leaky_relu_(edge, slope)
        own = functional.leaky_relu_(source_logit + target_logit, slope)
        top = _shift(source_logit, target_logit, edge, own, rows, slope)
        weight = (edge - top.index_select(0, rows.target)).exp_()
        own_weight = (own - top).exp_()
        share = (own_weight + _row_sums(weight, rows)).reciprocal_()
        weight *= share.index_select(0, rows.target)
        own_weight *= share
        out = plan.sum(by_head, weight)
        out.addcmul_(by_head, own_weight.t().reshape(-1, 1))
        ctx.rows, ctx.slope, ctx.plan = rows, slope, plan
        ctx.save_for_backward(by_head, out, edge, own, weight, own_weight)
        return out.view(heads, nodes, width).transpose(0, 1)

    @staticmethod
    def backward(
        ctx: Any, *grads: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, None, None]:
        by_head, out, edge, own, weight, own_weight = ctx.saved_tensors
        rows, plan, slope = ctx.rows, ctx.plan, ctx.slope
        nodes, heads, width = grads[0].shape
        grad = grads[0].transpose(0, 1).reshape(heads * nodes, width)
        mean = (grad * out).sum(1).view(heads, nodes).t()
        own_grad = (grad * by_head).sum(1).view(heads, nodes).t() - mean
        own_grad = own_grad * own_weight * _slope_of(own, slope)
        edge_grad = plan.dot(grad, by_head) - mean.index_select(0, rows.target)
        edge_grad = edge_grad * weight * _slope_of(edge, slope)
        target_grad = own_grad + _row_sums(edge_grad, rows)
        source_grad = own_grad + _row_sums(edge_grad.index_select(0, rows.reverse), rows)
        x_grad = plan.sum(grad, weight.index_select(0, rows.reverse))
        x_grad.addcmul_(grad, own_weight.t().reshape(-1, 1))
        x_grad = x_grad.view(heads, nodes, width).transpose(0, 1)
        return x_grad, source_grad, target_grad, None, None


def _shift(
    source_logit: torch.Tensor,
    target_logit: torch.Tensor,
    edge: torch.Tensor,
    own: torch.Tensor,
    rows: Neighbours,
    slope: float,
) -> torch.Tensor:
    """What is taken off every node's logits before they are raised: ``[N, K]``, at least its max.

    The bound over all sources is as good as the node's own maximum while the logits' spread is
    far from where ``exp`` underflows; beyond that the maximum itself is taken.
    """
    top = source_logit.amax(0)
    if float((top - source_logit.amin(0)).max()) < _SAFE_SPREAD:
        return functional.leaky_relu(target_logit + top, slope)
    return own.scatter_reduce(0, rows.target[:, None].expand_as(edge), edge, "amax")


def _slope_of(activated: torch.Tensor, slope: float) -> torch.Tensor:
    """Derivative of the leaky ReLU, from its output."""
    positive = torch.empty_like(activated)
    torch.gt(activated, 0, out=positive)
    return positive.mul_(1 - slope).add_(slope)


def _row_sums(values: torch.Tensor, rows: Neighbours) -> torch.Tensor:
    """Sum ``[E, K]`` over the edges of each row: ``[N, K]``."""
    every = torch.arange(len(values), dtype=torch.int32)
    return _bag(values, every, rows.row_ptr, None)
