"""The fast layers give what PyG's give, from the same weights, forward and backward."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch_geometric.nn import GATConv, GCNConv, GINConv, SAGEConv

from harness.models.convolutions import FastGAT, FastGCN, FastGIN, FastSAGE

HIDDEN = 8


def mlp():
    return nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN))


LAYERS = {
    "gcn": (lambda: FastGCN(HIDDEN, HIDDEN), lambda: GCNConv(HIDDEN, HIDDEN)),
    "sage": (lambda: FastSAGE(HIDDEN, HIDDEN), lambda: SAGEConv(HIDDEN, HIDDEN)),
    "gin": (lambda: FastGIN(mlp()), lambda: GINConv(mlp())),
    "gat": (lambda: FastGAT(HIDDEN, 4, heads=2), lambda: GATConv(HIDDEN, 4, heads=2)),
}


@pytest.fixture(params=LAYERS)
def layers(request):
    """A fast layer and PyG's, with the same weights in double precision."""
    fast, slow = (make().double() for make in LAYERS[request.param])
    for parameter in slow.parameters():
        nn.init.normal_(parameter, std=0.5)
    fast.load_state_dict(slow.state_dict())
    return fast, slow


def results(layer, x, edge_index, *rows):
    """The output, and the gradients of input and weights of a random function of it."""
    x = x.clone().requires_grad_()
    out = layer(x, edge_index, *rows)
    direction = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view_as(out)
    gradients = torch.autograd.grad((out * direction).sum(), [x, *layer.parameters()])
    return [out, *gradients]


def check(layers, batch, rows):
    fast, slow = layers
    x = torch.randn(len(batch.x), HIDDEN, dtype=torch.float64)
    for got, wanted in zip(
        results(fast, x, batch.edge_index, rows), results(slow, x, batch.edge_index), strict=True
    ):
        assert torch.allclose(got, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_on_symmetric_rows_output_and_gradients_are_pygs(layers, random_batch, seed):
    batch = random_batch(seed)
    check(layers, batch, batch.neighbours)


@pytest.mark.parametrize(
    "data", [{"symmetric": False}, {"self_loops": True}, {"self_loops": True, "symmetric": False}]
)
@pytest.mark.parametrize("seed", range(3))
def test_directed_edges_and_self_loops_are_served_too(layers, random_batch, data, seed):
    batch = random_batch(seed, **data)
    check(layers, batch, batch.neighbours)


@pytest.mark.parametrize("data", [{}, {"symmetric": False}, {"self_loops": True}])
@pytest.mark.parametrize("seed", range(3))
def test_from_kinds_output_and_gradients_are_those_of_their_nodes(layers, random_batch, data, seed):
    fast, slow = layers
    batch = random_batch(seed, **data)
    kinds = batch.neighbours.kinds
    x = torch.randn(len(kinds.x), HIDDEN, dtype=torch.float64)

    def expanding(given, edge_index):
        return slow(given[kinds.of_node], edge_index)

    expanding.parameters = slow.parameters
    found = results(fast, x, batch.edge_index, batch.neighbours, kinds)
    for got, wanted in zip(found, results(expanding, x, batch.edge_index), strict=True):
        assert torch.allclose(got, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: FastGCN(HIDDEN, HIDDEN, improved=True),
        lambda: FastGCN(HIDDEN, HIDDEN, normalize=False),
        lambda: FastSAGE(HIDDEN, HIDDEN, aggr="max"),
        lambda: FastSAGE(HIDDEN, HIDDEN, normalize=True),
        lambda: FastSAGE(HIDDEN, HIDDEN, project=True),
        lambda: FastGAT(HIDDEN, 4, heads=2, concat=False),
        lambda: FastGAT(HIDDEN, 4, heads=2, residual=True),
        lambda: FastGIN(mlp(), train_eps=True),
    ],
)
def test_other_options_are_pygs_too(make, random_batch):
    fast = make().double()
    batch = random_batch(1)
    x = torch.randn(len(batch.x), HIDDEN, dtype=torch.float64)
    parent = next(each for each in type(fast).__mro__ if each.__module__.startswith("torch_geo"))
    for got, wanted in zip(
        results(fast, x, batch.edge_index, batch.neighbours),
        results(partial_of(parent, fast), x, batch.edge_index),
        strict=True,
    ):
        assert torch.allclose(got, wanted, rtol=1e-6, atol=1e-6)


def partial_of(parent, layer):
    """A layer with its parent's ``forward``."""

    def call(x, edge_index):
        return parent.forward(layer, x, edge_index)

    call.parameters = layer.parameters
    return call


def test_without_rows_it_is_pygs_own_way(layers, random_batch):
    check(layers, random_batch(), None)


def test_a_graph_without_edges_is_served(layers, random_batch):
    batch = random_batch(max_nodes=1)
    assert batch.edge_index.shape[1] == 0
    check(layers, batch, batch.neighbours)


def test_in_single_precision_it_is_as_near_as_single_precision_is(layers, random_batch):
    batch = random_batch(3, count=20, max_nodes=40)
    fast, slow = layers[0].float(), layers[1].double()
    x = torch.randn(len(batch.x), HIDDEN, dtype=torch.float64)
    got = results(fast, x.float(), batch.edge_index, batch.neighbours)
    for one, wanted in zip(got, results(slow, x, batch.edge_index), strict=True):
        assert torch.allclose(
            one.double(), wanted, rtol=1e-3, atol=1e-4 * float(wanted.detach().abs().max())
        )


def test_weights_of_pygs_layer_load_by_their_names(layers):
    fast, slow = layers
    assert list(fast.state_dict()) == list(slow.state_dict())
