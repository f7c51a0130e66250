"""Mean and max over the nodes of each graph, always in fp32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch_geometric.nn import global_max_pool, global_mean_pool

from harness.models.neighbours import at_least_fp32

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.graphs.adjacency import Neighbours

_MEAN, _MAX = 1, 2


def pool_in_fp32(
    hidden: torch.Tensor, batch: torch.Tensor, size: int | None, rows: Neighbours | None = None
) -> torch.Tensor:
    """Mean and max of the nodes of each graph: ``[N, H]`` -> ``[B, 2 H]``.

    A sum over nodes rounded to bf16 at every addition stops growing at 256 terms (fp16: 2048),
    so pooling leaves the autocast region. On the CPU the nodes of a graph are one bag of an
    embedding bag, which needs no scatter.

    Args:
        hidden: ``[N, H]``.
        batch: ``[N]``, the graph of each node.
        size: ``B``, or None to read it off ``batch``.
        rows: of the batch, for the bounds of its graphs; None pools by ``batch``.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        hidden = at_least_fp32(hidden)
        if rows is not None and hidden.device.type == "cpu":
            apply: Callable[..., torch.Tensor] = _Pool.apply
            return apply(hidden, rows.graph_ptr, batch)
        mean, largest = global_mean_pool(hidden, batch, size), global_max_pool(hidden, batch, size)
        return torch.cat([mean, largest], dim=1)


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, graph_ptr: torch.Tensor, batch: torch.Tensor
    ) -> torch.Tensor:
        every = torch.arange(len(hidden), dtype=torch.int32)
        mean = _bags(hidden, every, graph_ptr, _MEAN)[0]
        largest, _, _, place = _bags(hidden, every, graph_ptr, _MAX)
        ctx.shape = hidden.shape
        ctx.save_for_backward(graph_ptr, batch, place)
        return torch.cat([mean, largest], dim=1)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        graph_ptr, batch, place = ctx.saved_tensors
        width = ctx.shape[1]
        mean, largest = grads[0][:, :width], grads[0][:, width:]
        nodes = (graph_ptr[1:] - graph_ptr[:-1]).to(mean.dtype)
        grad = (mean / nodes[:, None]).index_select(0, batch)
        return grad.scatter_add_(0, place.long(), largest), None, None


def _bags(
    hidden: torch.Tensor, every: torch.Tensor, ends: torch.Tensor, mode: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    kernel: Callable[..., Any] = torch.ops.aten._embedding_bag  # noqa: SLF001 - gives the places too
    found: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor] = kernel(
        hidden, every, ends, mode=mode, include_last_offset=True
    )
    return found
