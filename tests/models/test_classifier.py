"""The frame of the built-in models, and each of them in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.errors import UsageError
from harness.graphs.batch import collate
from harness.models import MODELS, DataShape, call_model, make_model
from harness.selection import parse_single

BUILT_IN = [name for name, entry in MODELS if entry.make.__module__.startswith("harness.models.")]
SHAPE = DataShape(num_types=5, num_tokens=7)


def made(text, shape=SHAPE):
    torch.manual_seed(0)
    return make_model(parse_single(text), shape)


def test_the_four_architectures_are_there():
    assert BUILT_IN == ["gat", "gcn", "gin", "sage"]


@pytest.mark.parametrize("model", BUILT_IN)
def test_logits_are_one_row_a_graph_and_every_weight_gets_a_gradient(random_batch, model):
    batch = random_batch(count=7)
    net = made(f"{model}[dropout=0,hidden=16,layers=2]")
    logits = call_model(net, batch)
    assert logits.shape == (7, 2)
    logits.square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())


@pytest.mark.parametrize("model", BUILT_IN)
def test_a_graphs_logits_do_not_depend_on_the_graphs_beside_it(random_graphs, model):
    graphs = random_graphs(count=6)
    net = made(model).eval()
    with torch.no_grad():
        together = call_model(net, collate(graphs, np.arange(6)))
        alone = [call_model(net, collate(graphs, [place])) for place in range(6)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


@pytest.mark.parametrize("model", BUILT_IN)
def test_the_order_of_nodes_and_edges_does_not_matter(random_batch, model):
    batch = random_batch()
    net = made(model).eval()
    order = torch.randperm(len(batch.x))
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    edges = place[batch.edge_index][:, torch.randperm(batch.edge_index.shape[1])]
    with torch.no_grad():
        wanted = call_model(net, batch)
        got = net(batch.x[order], edges, batch.batch[order], batch.num_graphs)
    assert torch.allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize("model", BUILT_IN)
def test_width_and_depth_are_as_asked(model):
    net = made(f"{model}[hidden=8,layers=5]")
    assert len(net.convolutions) == 5
    assert net.token_embedding.weight.shape == (7, 8)
    assert net.head[0].in_features == 16


@pytest.mark.parametrize("model", BUILT_IN)
def test_graph_features_reach_the_head(random_batch, model):
    batch = random_batch()
    features = torch.randn(batch.num_graphs, 3)
    net = made(model, replace(SHAPE, num_graph_features=3)).eval()
    with torch.no_grad():
        one, other = (
            call_model(net, replace(batch, graph_features=given))
            for given in (features, features + 1)
        )
    assert not torch.allclose(one, other)


def test_heads_divide_the_width_of_gat():
    with pytest.raises(UsageError, match="hidden=10 is no multiple of heads=4"):
        made("gat[hidden=10]")
