"""Rows hold the edges of a batch, in both directions, with the weights that layers ask for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from harness.graphs.batch import collate
from harness.graphs.dataset import DatasetInfo, PackedGraphs


def _graphs(sizes, edges, *, symmetric):
    """Graphs of ``sizes`` nodes with the edges given as (source, target) lists."""
    info = DatasetInfo(name="x", source="x", num_types=3, num_tokens=1, symmetric=symmetric)
    pairs = [np.array(one, np.int64).reshape(-1, 2) for one in edges]
    joined = np.concatenate(pairs)
    return PackedGraphs(
        info=info,
        node_type=(np.arange(sum(sizes)) % 3).astype(np.uint8),
        node_token=np.zeros(sum(sizes), np.uint8),
        edge_source=joined[:, 0].astype(np.uint16),
        edge_target=joined[:, 1].astype(np.uint16),
        node_ptr=np.cumsum([0, *sizes]),
        edge_ptr=np.cumsum([0, *map(len, pairs)]),
        label=np.zeros(len(sizes), np.int8),
        group=np.zeros(len(sizes), np.int32),
    )


@st.composite
def graph_sets(draw, *, self_loops=True):
    sizes = draw(st.lists(st.integers(1, 7), min_size=1, max_size=5))
    edges = []
    for n in sizes:
        end = st.integers(0, n - 1)
        pairs = draw(st.lists(st.tuples(end, end), max_size=12))
        edges.append([pair for pair in pairs if self_loops or pair[0] != pair[1]])
    return _graphs(sizes, edges, symmetric=draw(st.booleans()))


def matrix(rows, weight=None):
    """Rows as a dense matrix: entry (i, j) is the weight of place j in row i."""
    dense = torch.zeros(len(rows.ends) - 1, len(rows.ends) - 1, dtype=torch.float64)
    values = torch.ones(len(rows.index)) if weight is None else weight
    return dense.index_put_((rows.row, rows.index.long()), values.double(), accumulate=True)


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    """No example is the one that compiles, or reads compiled loops from their cache."""
    for symmetric in (True, False):
        found = collate(_graphs([2], [[(0, 1)]], symmetric=symmetric), np.array([0])).neighbours
        assert found.averaged.weight is not None
        assert found.normalised.weight is not None
        assert len(found.kinds.words.of_kind) == len(found.kinds.x)


@given(graph_sets(), st.data())
def test_rows_hold_the_edges_of_each_graph_both_ways(graphs, data):
    places = st.lists(st.integers(0, len(graphs) - 1), min_size=1, max_size=6)
    index = np.array(data.draw(places))
    batch = collate(graphs, index)
    rows = batch.neighbours
    wanted = torch.zeros(len(batch.x), len(batch.x), dtype=torch.float64)
    for place, begin in zip(index, rows.graph_ptr.tolist(), strict=False):
        for edge in range(*graphs.edge_ptr[place : place + 2]):
            source, target = (
                begin + int(ends[edge]) for ends in (graphs.edge_source, graphs.edge_target)
            )
            wanted[target, source] += 1
            if graphs.info.symmetric:
                wanted[source, target] += 1
    assert torch.equal(matrix(rows.into), wanted)
    assert torch.equal(matrix(rows.out_of), wanted.T)
    assert rows.into.length.tolist() == wanted.sum(1).tolist()
    assert rows.self_loops == bool(wanted.diagonal().any())
    assert np.diff(rows.graph_ptr).tolist() == graphs.num_nodes[index].tolist()


@given(graph_sets())
def test_an_undirected_set_needs_its_rows_once(graphs):
    rows = collate(graphs, np.arange(len(graphs))).neighbours
    assert (rows.into is rows.out_of) == graphs.info.symmetric


@given(graph_sets())
def test_kinds_tell_a_nodes_ids_and_which_nodes_share_them(graphs):
    batch = collate(graphs, np.arange(len(graphs)))
    kinds = batch.neighbours.kinds
    assert torch.equal(kinds.x[kinds.of_node], batch.x)
    assert len(kinds.x) == len(batch.x.unique(dim=0))
    nodes = kinds.nodes
    assert torch.equal(kinds.of_node[nodes.index].long(), nodes.row)
    assert sorted(nodes.index.tolist()) == list(range(len(batch.x)))
    words = kinds.words
    assert torch.equal(torch.cat([words.types, words.tokens])[words.of_kind.long()], kinds.x)


@given(graph_sets(self_loops=False))
def test_normalised_weights_are_pygs_and_their_transpose(graphs):
    batch = collate(graphs, np.arange(len(graphs)))
    found = batch.neighbours.normalised
    edge_index, weight = gcn_norm(batch.edge_index, None, len(batch.x))
    wanted = torch.zeros(len(batch.x), len(batch.x), dtype=torch.float64)
    wanted.index_put_((edge_index[1], edge_index[0]), weight.double(), accumulate=True)
    assert torch.allclose(matrix(found.rows, found.weight), wanted, atol=1e-6)
    assert torch.allclose(matrix(found.transposed, found.transposed_weight), wanted.T, atol=1e-6)


@given(graph_sets())
def test_a_mean_weighs_each_row_to_one(graphs):
    found = collate(graphs, np.arange(len(graphs))).neighbours.averaged
    dense = matrix(found.rows, found.weight)
    assert torch.allclose(dense.sum(1), (found.rows.length > 0).double())
    assert torch.allclose(matrix(found.transposed, found.transposed_weight), dense.T)


@given(graph_sets())
def test_an_entry_weighs_as_its_row_times_what_it_names(graphs):
    rows = collate(graphs, np.arange(len(graphs))).neighbours.into
    of_row, of_index = (
        torch.rand(len(rows.length), generator=torch.Generator().manual_seed(seed))
        for seed in (1, 2)
    )
    wanted = of_row[rows.row] * of_index[rows.index.long()]
    assert torch.equal(rows.weighed(of_row, of_index), wanted)
