"""Batches: graphs of a packed set joined into one disconnected graph by index arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harness.graphs.adjacency import Neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.graphs.adjacency import PackedAdjacency
    from harness.graphs.dataset import PackedGraphs


@dataclass(frozen=True)
class GraphBatch:
    """``B`` graphs as one disconnected graph of ``N`` nodes and ``E`` directed edges.

    Attributes:
        x: ``[N, 2]`` int64, node type and token.
        edge_index: ``[2, E]`` int64, source and target nodes.
        batch: ``[N]`` int64, the graph of each node, ascending.
        y: ``[B]`` int64 labels, 1 is vulnerable.
        index: ``[B]`` int64, the graphs' places in their data set.
        weight: ``[B]`` float32 or None, weight of each graph's loss.
        graph_features: ``[B, F]`` float32 or None.
        neighbours: the same edges as rows, for layers that sum over neighbours; or None.
    """

    x: torch.Tensor
    edge_index: torch.Tensor
    batch: torch.Tensor
    y: torch.Tensor
    index: torch.Tensor
    weight: torch.Tensor | None = None
    graph_features: torch.Tensor | None = None
    neighbours: Neighbours | None = None

    @property
    def num_graphs(self) -> int:
        """``B``."""
        return len(self.y)

    def to(self, device: torch.device) -> GraphBatch:
        """The same batch on a device; itself where it is there already."""
        if self.x.device == device:
            return self
        moved: dict[str, Any] = {
            name: None if value is None else value.to(device, non_blocking=True)
            for name, value in vars(self).items()
        }
        return replace(self, **moved)


def _ranges(start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """Concatenate ``arange(start[i], start[i] + length[i])`` over all ``i``."""
    end = np.cumsum(length)
    total = int(end[-1]) if len(end) else 0
    return np.repeat(start - (end - length), length) + np.arange(total)


def collate(
    graphs: PackedGraphs, index: NDArray[np.integer], adjacency: PackedAdjacency | None = None
) -> GraphBatch:
    """Join the graphs at ``index`` (``[B]``) into one batch on the CPU.

    With the data set's ``adjacency`` the batch has rows as well, and its edges come in their order.

    Raises:
        IndexError: if an index is outside of the data set.
    """
    places: NDArray[np.int64] = np.asarray(index, dtype=np.int64)
    if len(places) and not 0 <= places.min() <= places.max() < len(graphs):
        raise IndexError(f"graphs {places.min()}..{places.max()} of a data set of {len(graphs)}")
    nodes = graphs.node_ptr[places + 1] - graphs.node_ptr[places]
    node_at = _ranges(graphs.node_ptr[places], nodes)
    x = np.empty((len(node_at), 2), np.int64)
    x[:, 0] = graphs.node_type[node_at]
    x[:, 1] = graphs.node_token[node_at]
    rows = None if adjacency is None else _rows(graphs, adjacency, places, nodes)
    features = graphs.graph_features
    return GraphBatch(
        x=torch.from_numpy(x),
        edge_index=_edges(graphs, places, nodes) if rows is None else _edges_of(rows),
        batch=torch.from_numpy(np.repeat(np.arange(len(places)), nodes)),
        y=torch.from_numpy(graphs.label[places].astype(np.int64)),
        index=torch.from_numpy(places),
        weight=None if graphs.weight is None else torch.from_numpy(graphs.weight[places]),
        graph_features=None if features is None else torch.from_numpy(features[places]),
        neighbours=rows,
    )


def _edges(
    graphs: PackedGraphs, index: NDArray[np.int64], nodes: NDArray[np.int64]
) -> torch.Tensor:
    edges = graphs.edge_ptr[index + 1] - graphs.edge_ptr[index]
    edge_at = _ranges(graphs.edge_ptr[index], edges)
    offset = np.repeat(np.cumsum(nodes) - nodes, edges)
    half = len(edge_at)
    edge_index = np.empty((2, 2 * half if graphs.info.symmetric else half), np.int64)
    edge_index[0, :half] = graphs.edge_source[edge_at] + offset
    edge_index[1, :half] = graphs.edge_target[edge_at] + offset
    edge_index[:, half:] = edge_index[::-1, :half] if graphs.info.symmetric else 0
    return torch.from_numpy(edge_index)


def _rows(
    graphs: PackedGraphs,
    adjacency: PackedAdjacency,
    index: NDArray[np.int64],
    nodes: NDArray[np.int64],
) -> Neighbours:
    first = adjacency.row_ptr[graphs.node_ptr[index]]
    edges = adjacency.row_ptr[graphs.node_ptr[index + 1]] - first
    node_at = _ranges(graphs.node_ptr[index], nodes)
    degree = adjacency.row_ptr[node_at + 1] - adjacency.row_ptr[node_at]
    row_ptr = np.zeros(len(node_at) + 1, np.int32)
    np.cumsum(degree, out=row_ptr[1:])
    edge_at = _ranges(first, edges)
    source = adjacency.source[edge_at]
    source += np.repeat((np.cumsum(nodes) - nodes).astype(np.int32), edges)
    reverse = adjacency.reverse[edge_at]
    reverse += np.repeat((np.cumsum(edges) - edges).astype(np.int32), edges)
    return Neighbours(
        row_ptr=torch.from_numpy(row_ptr),
        source=torch.from_numpy(source),
        target=torch.from_numpy(np.repeat(np.arange(len(node_at)), degree)),
        reverse=torch.from_numpy(reverse),
        graph_ptr=torch.from_numpy(np.append(0, np.cumsum(nodes)).astype(np.int32)),
        symmetric=adjacency.symmetric,
        self_loops=adjacency.self_loops,
    )


def _edges_of(rows: Neighbours) -> torch.Tensor:
    return torch.stack([rows.source.long(), rows.target])
