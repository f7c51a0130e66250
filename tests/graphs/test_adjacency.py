"""Rows hold the edges of a batch, each with its reverse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.graphs.adjacency import pack_adjacency
from harness.graphs.batch import collate
from harness.graphs.dataset import DatasetInfo, PackedGraphs


def _graphs(sizes, edges, *, symmetric):
    """Graphs of ``sizes`` nodes with the edges given as (source, target) lists."""
    info = DatasetInfo(name="x", source="x", num_types=1, num_tokens=1, symmetric=symmetric)
    pairs = [np.array(one, np.int64).reshape(-1, 2) for one in edges]
    joined = np.concatenate(pairs)
    return PackedGraphs(
        info=info,
        node_type=np.zeros(sum(sizes), np.uint8),
        node_token=np.zeros(sum(sizes), np.uint8),
        edge_source=joined[:, 0].astype(np.uint16),
        edge_target=joined[:, 1].astype(np.uint16),
        node_ptr=np.cumsum([0, *sizes]),
        edge_ptr=np.cumsum([0, *map(len, pairs)]),
        label=np.zeros(len(sizes), np.int8),
        group=np.zeros(len(sizes), np.int32),
    )


@st.composite
def graph_sets(draw):
    sizes = draw(st.lists(st.integers(1, 7), min_size=1, max_size=5))
    edges = [
        draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=12))
        for n in sizes
    ]
    return _graphs(sizes, edges, symmetric=draw(st.booleans()))


@given(graph_sets(), st.data())
def test_rows_hold_the_same_edges_as_the_batch_without_them(graphs, data):
    index = np.array(data.draw(st.lists(st.integers(0, len(graphs) - 1), min_size=1, max_size=6)))
    plain, batch = collate(graphs, index), collate(graphs, index, pack_adjacency(graphs))
    assert sorted(plain.edge_index.t().tolist()) == sorted(batch.edge_index.t().tolist())
    rows = batch.neighbours
    assert rows.target.tolist() == sorted(rows.target.tolist())
    degree = np.bincount(rows.target, minlength=len(batch.x))
    assert np.diff(rows.row_ptr).tolist() == degree.tolist()
    assert rows.degree.tolist() == degree.tolist()
    sizes = graphs.num_nodes[index]
    assert np.diff(rows.graph_ptr).tolist() == sizes.tolist()


@given(graph_sets())
def test_the_reverse_of_an_edge_leads_back_and_has_it_as_its_own(graphs):
    adjacency = pack_adjacency(graphs)
    rows = collate(graphs, np.arange(len(graphs)), adjacency).neighbours
    if not rows.symmetric:
        return
    source, target, reverse = rows.source.long(), rows.target, rows.reverse.long()
    assert (source[reverse] == target).all()
    assert (target[reverse] == source).all()
    assert sorted(reverse.tolist()) == list(range(len(reverse)))


@pytest.mark.parametrize(
    ("edges", "symmetric"),
    [([(0, 1), (1, 0)], True), ([(0, 1)], False), ([(0, 1), (0, 1), (1, 0)], False), ([], True)],
)
def test_directed_edges_are_symmetric_if_each_has_its_reverse(edges, symmetric):
    assert pack_adjacency(_graphs([2], [edges], symmetric=False)).symmetric is symmetric


def test_self_loops_are_noticed():
    assert pack_adjacency(_graphs([2], [[(1, 1)]], symmetric=False)).self_loops
    assert not pack_adjacency(_graphs([2], [[(0, 1)]], symmetric=True)).self_loops


def test_rows_are_made_once_and_not_stored(tmp_path):
    graphs = _graphs([3], [[(0, 1), (1, 2)]], symmetric=True)
    assert graphs.adjacency is graphs.adjacency
    assert replace(graphs).content == graphs.content
