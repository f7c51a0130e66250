"""The loops that join graphs of a packed set into one: no temporary is larger than the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


@compiled
def join_nodes(
    places: Array, node_ptr: Array, node_type: Array, node_token: Array, graph_ptr: Array
) -> tuple[Array, Array]:
    """Ids ``[N, 2]`` and graph ``[N]`` of each node of the graphs at ``places`` ``[B]``, int64.

    ``graph_ptr`` ``[B + 1]`` says where each graph's nodes begin.
    """
    x = np.empty((graph_ptr[-1], 2), np.int64)
    batch = np.empty(graph_ptr[-1], np.int64)
    for graph in range(len(places)):
        first, begin = node_ptr[places[graph]], graph_ptr[graph]
        for node in range(graph_ptr[graph + 1] - begin):
            x[begin + node, 0] = node_type[first + node]
            x[begin + node, 1] = node_token[first + node]
            batch[begin + node] = graph
    return x, batch


@compiled
def join_edges(
    places: Array, edge_ptr: Array, edge_source: Array, edge_target: Array, graph_ptr: Array,
    both: bool,  # noqa: FBT001 - compiled functions have no keyword-only parameters
) -> tuple[Array, Array, bool]:  # fmt: skip
    """Both ends ``[E]`` of each stored edge as nodes of the batch, and whether any is a loop."""
    edges = 0
    for graph in range(len(places)):
        edges += edge_ptr[places[graph] + 1] - edge_ptr[places[graph]]
    source = np.empty(2 * edges if both else edges, np.int32)
    target = np.empty(2 * edges if both else edges, np.int32)
    loops = False
    at = 0
    for graph in range(len(places)):
        begin = graph_ptr[graph]
        for edge in range(edge_ptr[places[graph]], edge_ptr[places[graph] + 1]):
            here, there = begin + edge_source[edge], begin + edge_target[edge]
            source[at], target[at] = here, there
            loops |= here == there
            at += 1
            if both:
                source[at], target[at] = there, here
                at += 1
    return source, target, loops


@compiled
def sort_by(key: Array, value: Array, keys: int) -> tuple[Array, Array]:
    """Values ``[E]`` by ascending key, in their order among equals, and ``[keys + 1]`` bounds.

    A counting sort: keys are in ``range(keys)``.
    """
    ends = np.zeros(keys + 1, np.int32)
    for at in range(len(key)):
        ends[key[at] + 1] += 1
    for one in range(keys):
        ends[one + 1] += ends[one]
    following = ends[:-1].copy()
    ordered = np.empty(len(key), np.int32)
    for at in range(len(key)):
        ordered[following[key[at]]] = value[at]
        following[key[at]] += 1
    return ends, ordered


@compiled
def spread(ends: Array) -> Array:
    """The row ``[E]`` of each entry, int64, from the rows' bounds ``[N + 1]``."""
    row = np.empty(ends[-1], np.int64)
    for one in range(len(ends) - 1):
        for at in range(ends[one], ends[one + 1]):
            row[at] = one
    return row


@compiled
def weigh(ends: Array, index: Array, of_row: Array, of_index: Array) -> Array:
    """For each entry ``[E]`` its row's factor times that of what it names, each ``[N]``."""
    weight = np.empty(len(index), of_row.dtype)
    for one in range(len(ends) - 1):
        for at in range(ends[one], ends[one + 1]):
            weight[at] = of_row[one] * of_index[index[at]]
    return weight


@compiled
def with_self(ends: Array, index: Array) -> tuple[Array, Array]:
    """Rows in which each node comes first, before the entries that it has."""
    nodes = len(ends) - 1
    longer = np.empty(len(index) + nodes, np.int32)
    bounds = np.empty(nodes + 1, np.int32)
    bounds[0] = 0
    for node in range(nodes):
        begin = bounds[node]
        longer[begin] = node
        for at in range(ends[node + 1] - ends[node]):
            longer[begin + 1 + at] = index[ends[node] + at]
        bounds[node + 1] = begin + 1 + ends[node + 1] - ends[node]
    return bounds, longer


@compiled
def find_kinds(x: Array) -> tuple[Array, Array]:
    """Number the distinct rows of ``x`` ``[N, 2]`` as they appear.

    Returns the number of each row's kind ``[N]``, int32, and the place where each kind appears
    first ``[U]``, int64. An open hash table, so that its size follows the batch and not the
    vocabulary.
    """
    nodes = len(x)
    size = 16
    while size < 4 * nodes:
        size *= 2
    slots = np.full(size, -1, np.int32)
    kind = np.empty(nodes, np.int32)
    first = np.empty(nodes, np.int64)
    found = 0
    for node in range(nodes):
        slot = (x[node, 0] * 1_000_003 + x[node, 1]) * 0x9E3779B1 >> 7 & (size - 1)
        while slots[slot] >= 0:
            seen = first[slots[slot]]
            if x[seen, 0] == x[node, 0] and x[seen, 1] == x[node, 1]:
                break
            slot = (slot + 1) & (size - 1)
        if slots[slot] < 0:
            slots[slot] = found
            first[found] = node
            found += 1
        kind[node] = slots[slot]
    return kind, first[:found].copy()


@compiled
def find_words(x: Array) -> tuple[Array, Array, Array]:
    """The distinct ids of each column of ``x`` ``[U, 2]`` as they appear, and where rows have them.

    Returns the first column's ``[T]`` and the second's ``[K]``, int64, and the places ``[U, 2]``,
    int32, of each row's two ids among the first column's and then the second's.
    """
    pairs, places = np.zeros_like(x), np.empty(x.shape, np.int32)
    pairs[:, 1] = x[:, 0]
    place, where = find_kinds(pairs)
    types, places[:, 0] = x[where, 0], place
    pairs[:, 1] = x[:, 1]
    place, where = find_kinds(pairs)
    tokens, places[:, 1] = x[where, 1], place + len(types)
    return types, tokens, places


@compiled
def tile(graph_ptr: Array, most: int) -> Array:
    """Cut a batch into runs of whole graphs, of at most so many nodes if no graph is larger.

    ``graph_ptr`` ``[B + 1]`` says where each graph's nodes begin; gives the runs' bounds.
    """
    bounds = np.empty(len(graph_ptr) + 1, np.int64)
    bounds[0], runs = 0, 0
    for graph in range(1, len(graph_ptr)):
        if graph_ptr[graph] - bounds[runs] > most and graph_ptr[graph - 1] > bounds[runs]:
            runs += 1
            bounds[runs] = graph_ptr[graph - 1]
    if graph_ptr[-1] > bounds[runs]:
        runs += 1
        bounds[runs] = graph_ptr[-1]
    return bounds[: runs + 1].copy()
