"""Batches: graphs of a packed set joined into one disconnected graph by index arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harness.graphs import joining
from harness.graphs.adjacency import Kinds, Neighbours, Rows

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
        neighbours: the same edges as rows, for layers that sum over neighbours; None off the CPU.
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
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if isinstance(value, torch.Tensor)
        }
        return replace(self, **moved, neighbours=None)


def collate(graphs: PackedGraphs, index: NDArray[np.integer]) -> GraphBatch:
    """Join the graphs at ``index`` (``[B]``) into one batch on the CPU.

    Raises:
        IndexError: if an index is outside of the data set.
    """
    places: NDArray[np.int64] = np.array(index, dtype=np.int64)
    if len(places) and not 0 <= places.min() <= places.max() < len(graphs):
        raise IndexError(f"graphs {places.min()}..{places.max()} of a data set of {len(graphs)}")
    graph_ptr = np.zeros(len(places) + 1, np.int32)
    np.cumsum(graphs.node_ptr[places + 1] - graphs.node_ptr[places], out=graph_ptr[1:])
    x, batch = joining.join_nodes(
        places, graphs.node_ptr, graphs.node_type, graphs.node_token, graph_ptr
    )
    neighbours = _neighbours(graphs, places, graph_ptr, x)
    into, features = neighbours.into, graphs.graph_features
    return GraphBatch(
        x=torch.from_numpy(x),
        edge_index=torch.stack([into.index.long(), into.row]),
        batch=torch.from_numpy(batch),
        y=torch.from_numpy(graphs.label[places].astype(np.int64)),
        index=torch.from_numpy(places),
        weight=None if graphs.weight is None else torch.from_numpy(graphs.weight[places]),
        graph_features=None if features is None else torch.from_numpy(features[places]),
        neighbours=neighbours,
    )


def _neighbours(
    graphs: PackedGraphs,
    places: NDArray[np.int64],
    graph_ptr: NDArray[np.int32],
    x: NDArray[np.int64],
) -> Neighbours:
    symmetric = graphs.info.symmetric
    source, target, self_loops = joining.join_edges(
        places, graphs.edge_ptr, graphs.edge_source, graphs.edge_target, graph_ptr, symmetric
    )
    into = Rows.sorted(target, source, len(x))
    kind, first = joining.find_kinds(x)
    return Neighbours(
        into=into,
        out_of=into if symmetric else Rows.sorted(source, target, len(x)),
        graph_ptr=torch.from_numpy(graph_ptr),
        kinds=Kinds(torch.from_numpy(x[first]), torch.from_numpy(kind)),
        self_loops=self_loops,
    )
