"""Neighbour lists of a packed data set in compressed rows: for each node, where edges come from.

Layers read sums over neighbours off these rows without a message per edge. Self-loops of the data
are kept as they are; layers that add their own say so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from harness.graphs.dataset import PackedGraphs


@dataclass(frozen=True)
class PackedAdjacency:
    """Rows of all graphs of a data set, one after the other.

    Attributes:
        row_ptr: ``[N + 1]`` int64; the edges into node ``i`` are ``row_ptr[i]:row_ptr[i + 1]``.
        source: ``[E]`` int32, where each edge comes from, as a place within its graph.
        reverse: ``[E]`` int32, the reverse of each edge, as a place among its graph's edges;
            without meaning unless ``symmetric``.
        symmetric: whether every edge has its reverse, as often: the adjacency is its transpose.
        self_loops: whether some edge leads from a node to itself.
    """

    row_ptr: NDArray[np.int64]
    source: NDArray[np.int32]
    reverse: NDArray[np.int32]
    symmetric: bool
    self_loops: bool


@dataclass(frozen=True)
class Neighbours:
    """The rows of one batch: for each of its ``N`` nodes, the nodes that its edges come from.

    Attributes:
        row_ptr: ``[N + 1]`` int32; the edges into node ``i`` are ``row_ptr[i]:row_ptr[i + 1]``.
        source: ``[E]`` int32, the node of the batch that each edge comes from.
        target: ``[E]`` int64, the node that each edge leads to, ascending.
        reverse: ``[E]`` int32, the reverse of each edge; without meaning unless ``symmetric``.
        graph_ptr: ``[B + 1]`` int32; graph ``i`` has the nodes ``graph_ptr[i]:graph_ptr[i + 1]``.
        symmetric: whether every edge has its reverse, as often.
        self_loops: whether some edge leads from a node to itself.
    """

    row_ptr: torch.Tensor
    source: torch.Tensor
    target: torch.Tensor
    reverse: torch.Tensor
    graph_ptr: torch.Tensor
    symmetric: bool
    self_loops: bool

    @cached_property
    def degree(self) -> torch.Tensor:
        """``[N]`` float32, edges into each node."""
        return (self.row_ptr[1:] - self.row_ptr[:-1]).float()

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Neighbours:
        """The same rows on a device."""
        return replace(
            self,
            row_ptr=self.row_ptr.to(device, non_blocking=non_blocking),
            source=self.source.to(device, non_blocking=non_blocking),
            target=self.target.to(device, non_blocking=non_blocking),
            reverse=self.reverse.to(device, non_blocking=non_blocking),
            graph_ptr=self.graph_ptr.to(device, non_blocking=non_blocking),
        )


def pack_adjacency(graphs: PackedGraphs) -> PackedAdjacency:
    """Sort the edges of a data set by target; where it is symmetric, both directions of each."""
    nodes = len(graphs.node_type)
    offset = np.repeat(graphs.node_ptr[:-1], np.diff(graphs.edge_ptr))
    source, target = graphs.edge_source.astype(np.int64), graphs.edge_target.astype(np.int64)
    self_loops = bool(np.any(source == target))
    if graphs.info.symmetric:
        source, target = np.concatenate([source, target]), np.concatenate([target, source])
        offset = np.concatenate([offset, offset])
    width = int(graphs.num_nodes.max(initial=1))
    by_target = (target + offset) * width + source
    by_source = (source + offset) * width + target
    order, reverse = np.argsort(by_target), np.argsort(by_source)
    # In this order of edges the k-th by source is the reverse of the k-th by target.
    symmetric = graphs.info.symmetric or np.array_equal(by_target[order], by_source[reverse])
    row_ptr = np.zeros(nodes + 1, np.int64)
    np.cumsum(np.bincount(target + offset, minlength=nodes), out=row_ptr[1:])
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    first_edge = row_ptr[offset[order]]
    return PackedAdjacency(
        row_ptr=row_ptr,
        source=source[order].astype(np.int32),
        reverse=(place[reverse] - first_edge).astype(np.int32),
        symmetric=symmetric,
        self_loops=self_loops,
    )
