"""Batches: graphs of a packed set joined into one disconnected graph by index arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    """

    x: torch.Tensor
    edge_index: torch.Tensor
    batch: torch.Tensor
    y: torch.Tensor
    index: torch.Tensor
    weight: torch.Tensor | None = None
    graph_features: torch.Tensor | None = None

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


def collate(graphs: PackedGraphs, index: NDArray[np.integer]) -> GraphBatch:
    """Join the graphs at ``index`` (``[B]``) into one batch on the CPU.

    Raises:
        IndexError: if an index is outside of the data set.
    """
    index = np.asarray(index, dtype=np.int64)
    if len(index) and not 0 <= index.min() <= index.max() < len(graphs):
        raise IndexError(f"graphs {index.min()}..{index.max()} of a data set of {len(graphs)}")
    nodes = graphs.node_ptr[index + 1] - graphs.node_ptr[index]
    edges = graphs.edge_ptr[index + 1] - graphs.edge_ptr[index]
    node_at = _ranges(graphs.node_ptr[index], nodes)
    edge_at = _ranges(graphs.edge_ptr[index], edges)
    x = np.empty((len(node_at), 2), np.int64)
    x[:, 0] = graphs.node_type[node_at]
    x[:, 1] = graphs.node_token[node_at]
    offset = np.repeat(np.cumsum(nodes) - nodes, edges)
    ways = 2 if graphs.info.symmetric else 1
    edge_index = np.empty((2, ways * len(edge_at)), np.int64)
    half = len(edge_at)
    edge_index[0, :half] = graphs.edge_source[edge_at] + offset
    edge_index[1, :half] = graphs.edge_target[edge_at] + offset
    if ways == 2:  # noqa: PLR2004 - both directions of an edge
        edge_index[0, half:] = edge_index[1, :half]
        edge_index[1, half:] = edge_index[0, :half]
    features = graphs.graph_features
    return GraphBatch(
        x=torch.from_numpy(x),
        edge_index=torch.from_numpy(edge_index),
        batch=torch.from_numpy(np.repeat(np.arange(len(index)), nodes)),
        y=torch.from_numpy(graphs.label[index].astype(np.int64)),
        index=torch.from_numpy(index),
        weight=None if graphs.weight is None else torch.from_numpy(graphs.weight[index]),
        graph_features=None if features is None else torch.from_numpy(features[index]),
    )
