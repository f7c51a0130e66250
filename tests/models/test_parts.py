"""What a model's parts are is read off what they work on, whatever they are called."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch_geometric.nn import BatchNorm, GCNConv, SAGEConv, global_add_pool

from harness.models import DataShape, make_model, parts_of
from harness.selection import parse_single
from harness.testing import differences

SHAPE = DataShape(num_types=5, num_tokens=7)


@pytest.fixture
def batch(random_batch):
    made = random_batch()
    assert len(made.x) > made.num_graphs
    return made


@pytest.mark.parametrize("name", ["gcn", "gat", "sage", "gin"])
def test_the_built_in_models_have_embeddings_convolutions_and_a_head(name, batch):
    model = make_model(parse_single(name), SHAPE)
    parts = parts_of(model, batch)
    assert set(parts.head) == {key for key in model.state_dict() if key.startswith("head.")}
    assert parts.layers[0] == ("type_embedding.weight", "token_embedding.weight")
    for place, layer in enumerate(parts.layers[1:]):
        assert layer
        assert all(key.startswith(f"convolutions.{place}.") for key in layer)
    assert len(parts.layers) == 4
    assert {*parts.encoder, *parts.head} == set(model.state_dict())


class Misnamed(nn.Module):
    """Its parts have names that say the wrong thing, and stand in an order that says nothing."""

    def __init__(self, *, pooled=True):
        super().__init__()
        self.classifier = nn.Linear(4, 4)  # on graphs, before the last one
        self.head = nn.Embedding(5, 4)
        self.last = nn.ModuleDict({"b": SAGEConv(4, 4), "a": GCNConv(4, 4), "n": BatchNorm(4)})
        self.scale = nn.Parameter(torch.ones(4))
        self.out, self.early = nn.Linear(4, 2), nn.Linear(4, 4)
        self.pooled = pooled

    def forward(self, x, edge_index, batch):
        hidden = self.early(self.head(x[:, 0])) * self.scale
        hidden = self.last["a"](x=hidden, edge_index=edge_index)
        hidden = self.last["n"](hidden).relu()
        hidden = self.last["b"]((hidden, hidden), edge_index)
        if not self.pooled:
            return self.out(hidden)
        return self.out(self.classifier(global_add_pool(hidden, batch)).relu())


def test_names_and_places_count_for_nothing(batch):
    parts = parts_of(Misnamed(), batch)
    assert set(parts.head) == {
        "classifier.weight", "classifier.bias", "out.weight", "out.bias"
    }  # fmt: skip
    lowest, first, second = map(set, parts.layers)
    assert lowest == {"head.weight", "scale", "early.weight", "early.bias"}
    assert {"last.a.bias", "last.n.module.weight", "last.n.module.running_mean"} <= first
    assert all(name.startswith("last.b.") for name in second)


def test_a_convolution_that_is_used_twice_is_one_layer(batch):
    class Twice(Misnamed):
        def forward(self, x, edge_index, batch):
            hidden = self.head(x[:, 0])
            for _ in range(2):
                hidden = self.last["a"](hidden, edge_index)
            return self.out(global_add_pool(self.last["b"](hidden, edge_index), batch))

    parts = parts_of(Twice(), batch)
    places = {name: place for place, layer in enumerate(parts.layers) for name in layer}
    assert (places["last.a.bias"], places["last.b.lin_l.bias"]) == (1, 2)


def test_where_nothing_works_on_graphs_alone_the_head_is_the_last_linear_layer(batch):
    model = Misnamed(pooled=False)
    assert parts_of(model, batch).head == ("early.weight", "early.bias")
    del model.early
    model.early = nn.Identity()
    assert parts_of(model, batch).head == ("out.weight", "out.bias")


def test_with_as_many_nodes_as_graphs_the_head_is_the_last_linear_layer(random_batch):
    lonely = random_batch(count=3, max_nodes=1)
    assert len(lonely.x) == lonely.num_graphs
    model = make_model(parse_single("gcn"), SHAPE)
    assert parts_of(model, lonely).head == ("head.3.weight", "head.3.bias")


def test_looking_leaves_no_trace(batch):
    model = make_model(parse_single("gin"), SHAPE).train()
    model.convolutions[0].eval()
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    parts_of(model, batch)
    assert [module.training for module in model.modules()] == modes
    assert not differences(before, dict(model.state_dict()))
    assert torch.get_rng_state().equal(random)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_pre_hooks for module in model.modules())
