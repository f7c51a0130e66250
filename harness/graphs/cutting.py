"""Where an order of graphs is cut into batches: by a number of graphs, and by their nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GIANT = 100_000
"""Nodes above which a graph is never put beside others: about ten usual batches of functions."""


def cut(
    nodes: NDArray[np.integer], most_graphs: int, most_nodes: int = 0, alone: int = 0
) -> NDArray[np.int64]:
    """Bounds ``[k + 1]`` of ``k`` batches: batch ``i`` has the graphs ``bounds[i]:bounds[i + 1]``.

    Each batch takes graphs in their order as long as it may, and at least one.

    Args:
        nodes: ``[m]`` nodes of each graph, in the order in which they are taken.
        most_graphs: graphs of a batch at most.
        most_nodes: nodes of a batch at most, save of one that a single larger graph makes; 0 sets
            no limit.
        alone: nodes above which a graph makes a batch by itself; 0 for no such graph.
    """
    graphs = len(nodes)
    if alone and np.any(nodes > alone):
        return _cut_around(np.flatnonzero(nodes > alone), nodes, most_graphs, most_nodes)
    if not most_nodes:
        return np.minimum(np.arange(0, graphs + most_graphs, most_graphs, dtype=np.int64), graphs)
    before = np.zeros(graphs + 1, np.int64)
    np.cumsum(nodes, out=before[1:])
    ends = [0]
    while ends[-1] < graphs:
        begin = ends[-1]
        fitting = int(np.searchsorted(before, before[begin] + most_nodes, side="right")) - 1
        ends.append(min(max(fitting, begin + 1), begin + most_graphs, graphs))
    return np.array(ends, np.int64)


def _cut_around(
    giants: NDArray[np.integer], nodes: NDArray[np.integer], most_graphs: int, most_nodes: int
) -> NDArray[np.int64]:
    """The bounds where some graphs are batches by themselves."""
    ends, begin = [0], 0
    for giant in [*giants.tolist(), len(nodes)]:
        ends += (begin + cut(nodes[begin:giant], most_graphs, most_nodes)[1:]).tolist()
        begin = min(giant + 1, len(nodes))
        ends += [begin] * (giant < len(nodes))
    return np.array(ends, np.int64)


def usual_graphs(mean_nodes: float, most_graphs: int, most_nodes: int = 0) -> float:
    """Graphs that a batch holds on average, of graphs with so many nodes; at least 1."""
    if not most_nodes:
        return most_graphs
    return min(most_graphs, max(1.0, most_nodes / max(mean_nodes, 1.0)))
