"""Sums over neighbours without a message per edge.

A sum over the rows of a compressed adjacency is an embedding bag: the kernel reads each source
once and writes each node once, where gather and scatter write and read ``[E, H]`` messages. The
backward pass is the same kernel on the transposed rows. Sums are in fp32 whatever the input: a
sum rounded to bf16 at each addition stops growing at 256 terms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.graphs.adjacency import Aggregation, Kinds, Rows


def at_least_fp32(x: torch.Tensor) -> torch.Tensor:
    """The tensor in fp32, or in fp64 where it is: what sums over nodes are taken in."""
    return x if x.dtype == torch.float64 else x.float()


def aggregate(
    x: torch.Tensor, aggregation: Aggregation, kinds: Kinds | None = None
) -> torch.Tensor:
    """Apply an aggregation to node features: ``[N, H]`` -> ``[N, H]``.

    Args:
        x: ``[N, H]``, or ``[U, H]`` with ``kinds``.
        aggregation: what is summed at each node.
        kinds: given where ``x`` has a row for each kind of node.
    """
    apply: Callable[..., torch.Tensor] = _Aggregate.apply
    return apply(at_least_fp32(x), aggregation, kinds)


def expand(x: torch.Tensor, kinds: Kinds) -> torch.Tensor:
    """The features of every node from those of its kind: ``[U, H]`` -> ``[N, H]``."""
    apply: Callable[..., torch.Tensor] = _Expand.apply
    return apply(x, kinds)


def bag(x: torch.Tensor, rows: Rows, weight: torch.Tensor | None = None) -> torch.Tensor:
    """The kernel: sum the places of ``x`` that each row names, weighted; no gradient."""
    return functional.embedding_bag(
        rows.index,
        x,
        rows.ends,
        mode="sum",
        per_sample_weights=None if weight is None else weight.to(x.dtype),
        include_last_offset=True,
    )


def by_kind(rows: Rows, kinds: Kinds | None) -> Rows:
    """Rows that name the kinds of the nodes they named; themselves without kinds."""
    if kinds is None:
        return rows
    return type(rows)(rows.ends, kinds.of_node.index_select(0, rows.index))


class _Aggregate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, aggregation: Aggregation, kinds: Kinds | None
    ) -> torch.Tensor:
        ctx.aggregation, ctx.kinds = aggregation, kinds
        return bag(x.contiguous(), by_kind(aggregation.rows, kinds), aggregation.weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        of = ctx.aggregation
        x_grad = bag(grad.contiguous(), of.transposed, of.transposed_weight)
        return x_grad if ctx.kinds is None else bag(x_grad, ctx.kinds.nodes), None, None


class _Expand(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, kinds: Kinds) -> torch.Tensor:
        ctx.kinds = kinds
        return x.index_select(0, kinds.of_node)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        summed = bag(at_least_fp32(grad).contiguous(), ctx.kinds.nodes)
        return summed.to(grad.dtype), None
