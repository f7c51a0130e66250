from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from harness.graphs.batch import collate
from harness.graphs.dataset import PackedGraphs, save


def one(graphs: PackedGraphs, place: int) -> Data:
    """A graph as a PyG object, built by plain slicing."""
    nodes = slice(*graphs.node_ptr[place : place + 2])
    edges = slice(*graphs.edge_ptr[place : place + 2])
    ids = np.stack([graphs.node_type[nodes], graphs.node_token[nodes]], axis=1)
    ends = np.stack([graphs.edge_source[edges], graphs.edge_target[edges]])
    return Data(
        x=torch.from_numpy(ids.astype(np.int64)),
        edge_index=torch.from_numpy(ends.astype(np.int64)),
        y=int(graphs.label[place]),
    )


def sorted_edges(edge_index: torch.Tensor) -> list[tuple[int, int]]:
    return sorted(map(tuple, edge_index.T.tolist()))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 1000),
    index=st.lists(st.integers(0, 39), min_size=1, max_size=20),
    symmetric=st.booleans(),
)
def test_a_batch_is_what_pyg_makes_of_the_same_graphs(make_graphs, seed, index, symmetric):
    graphs = make_graphs(seed=seed, symmetric=symmetric)
    batch = collate(graphs, np.array(index))
    expected = Batch.from_data_list([one(graphs, place) for place in index])
    assert torch.equal(batch.x, expected.x)
    assert torch.equal(batch.batch, expected.batch)
    assert torch.equal(batch.y, expected.y)
    assert batch.index.tolist() == index
    assert batch.num_graphs == len(index)
    edges = expected.edge_index
    both = torch.cat([edges, edges.flip(0)], dim=1) if symmetric else edges
    assert sorted_edges(batch.edge_index) == sorted_edges(both)
    assert batch.weight is not None
    assert batch.weight.tolist() == graphs.weight[index].tolist()
    assert batch.graph_features is not None
    assert batch.graph_features.tolist() == graphs.graph_features[index].tolist()


def test_a_batch_of_a_stored_set_is_that_of_the_set_in_memory(make_graphs, tmp_path):
    graphs = make_graphs(extras=False)
    stored = save(graphs, tmp_path / "set")
    found, expected = collate(stored, np.arange(40)), collate(graphs, np.arange(40))
    for field in ("x", "edge_index", "batch", "y", "index"):
        assert torch.equal(getattr(found, field), getattr(expected, field)), field
    assert torch.equal(found.neighbours.into.index, expected.neighbours.into.index)
    assert found.weight is found.graph_features is None


def test_a_batch_can_be_written_to_without_touching_the_data(make_graphs, tmp_path):
    stored = save(make_graphs(), tmp_path / "set")
    batch = collate(stored, np.arange(5))
    for value in (batch.x, batch.y, batch.weight, batch.graph_features):
        value.zero_()
    assert collate(stored, np.arange(5)).x.any()


@pytest.mark.parametrize("index", [[40], [-1], [0, 41]])
def test_a_graph_that_is_not_there_is_an_error(make_graphs, index):
    with pytest.raises(IndexError, match="of a data set of 40"):
        collate(make_graphs(), np.array(index))


def test_an_empty_batch_is_empty(make_graphs):
    batch = collate(make_graphs(), np.array([], np.int64))
    assert batch.num_graphs == len(batch.x) == batch.edge_index.shape[1] == 0


def test_moving_to_the_same_device_copies_nothing(make_graphs):
    batch = collate(make_graphs(), np.arange(3))
    assert batch.to(torch.device("cpu")) is batch
    moved = batch.to(torch.device("meta"))
    assert moved.x.device.type == moved.y.device.type == "meta"
    assert moved.neighbours is None
