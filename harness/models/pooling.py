"""Mean and max over the nodes of each graph, always in fp32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import once_differentiable
from torch_geometric.nn import global_max_pool, global_mean_pool

from harness.models import loops
from harness.models.neighbours import at_least_fp32

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.graphs.adjacency import Neighbours


def pool_in_fp32(
    hidden: torch.Tensor, batch: torch.Tensor, size: int | None, rows: Neighbours | None = None
) -> torch.Tensor:
    """Mean and max of the nodes of each graph: ``[N, H]`` -> ``[B, 2 H]``.

    A sum over nodes rounded to bf16 at every addition stops growing at 256 terms (fp16: 2048),
    so pooling leaves the autocast region. With rows both are taken in one pass, without scatter.

    Args:
        hidden: ``[N, H]``.
        batch: ``[N]``, the graph of each node.
        size: ``B``, or None to read it off ``batch``.
        rows: of the batch, for the bounds of its graphs; None pools by ``batch``.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        hidden = at_least_fp32(hidden)
        if rows is not None:
            apply: Callable[..., torch.Tensor] = _Pool.apply
            return apply(hidden, rows.graph_ptr)
        mean, largest = global_mean_pool(hidden, batch, size), global_max_pool(hidden, batch, size)
        return torch.cat([mean, largest], dim=1)


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, graph_ptr: torch.Tensor) -> torch.Tensor:
        hidden = hidden.detach().contiguous()
        pooled = hidden.new_zeros(len(graph_ptr) - 1, 2 * hidden.shape[1])
        place = torch.zeros(len(pooled), hidden.shape[1], dtype=torch.int32)
        loops.pool(hidden.numpy(), graph_ptr.numpy(), pooled.numpy(), place.numpy())
        ctx.nodes = len(hidden)
        ctx.save_for_backward(graph_ptr, place)
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        graph_ptr, place = ctx.saved_tensors
        hidden_grad = grad.new_empty(ctx.nodes, place.shape[1])
        there = graph_ptr.numpy(), place.numpy(), 0
        loops.spread_back(grad.contiguous().numpy(), *there, hidden_grad.numpy())
        return hidden_grad, None
