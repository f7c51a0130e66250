"""An encoder in one pass over tiles gives what its layers and activations give one by one."""

from __future__ import annotations

import copy
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch_geometric.nn import GCNConv, GINConv, SAGEConv

from harness.graphs import adjacency
from harness.models import blas
from harness.models.activation import ReLUDropout
from harness.models.convolutions import FastGAT, FastGCN, FastGIN, FastSAGE
from harness.models.one_pass import encode
from harness.models.pooling import pool_in_fp32

WIDTH, TYPES, TOKENS = 6, 128, 1024


def network(width=WIDTH):
    return nn.Sequential(
        nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, width)
    )


LAYERS = {
    "gcn": (lambda: FastGCN(WIDTH, WIDTH), lambda: GCNConv(WIDTH, WIDTH)),
    "sage": (lambda: FastSAGE(WIDTH, WIDTH), lambda: SAGEConv(WIDTH, WIDTH)),
    "gin": (lambda: FastGIN(network()), lambda: GINConv(network())),
}


class Encoder(nn.Module):
    """Embeddings and layers, the way that PyG takes."""

    def __init__(self, make, depth, probability=0.0):
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(count, WIDTH) for count in (TYPES, TOKENS))
        self.layers = nn.ModuleList(make() for _ in range(depth))
        self.activation = ReLUDropout(probability)

    def forward(self, batch):
        of_type, of_token = self.embeddings
        x = of_type(batch.x[:, 0]) + of_token(batch.x[:, 1])
        for layer in self.layers:
            x = self.activation(layer(x, batch.edge_index))
        return pool_in_fp32(x, batch.batch, batch.num_graphs)

    def in_one_pass(self, batch):
        return encode(tuple(self.embeddings), list(self.layers), self.activation, batch.neighbours)


@pytest.fixture(params=LAYERS)
def make(request):
    """Makes an encoder for one pass and PyG's, with the same weights in double precision."""

    def pair(depth=3, probability=0.0):
        torch.manual_seed(7)
        fast, slow = (Encoder(one, depth, probability).double() for one in LAYERS[request.param])
        for parameter in slow.parameters():
            nn.init.normal_(parameter, std=0.5)
        fast.load_state_dict(slow.state_dict())
        return fast, slow

    return pair


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """A few nodes each, so that a batch has many, of several strips."""
    monkeypatch.setattr(adjacency, "TILE", 30)
    monkeypatch.setattr(blas, "small", lambda: WIDTH * WIDTH * 12)


def seeded(call, parameters):
    """Output and gradients, with the dropout of seed 5."""
    torch.manual_seed(5)
    out = call()
    assert out is not None
    direction = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view_as(out)
    wanted = [one for one in parameters if one.requires_grad]
    return [out, *torch.autograd.grad((out * direction).sum(), wanted)]


def equal(found, wanted, atol=1e-6):
    return all(
        torch.allclose(one, other, rtol=1e-6, atol=atol)
        for one, other in zip(found, wanted, strict=True)
    )


@pytest.mark.parametrize("data", [{}, {"symmetric": False}, {"count": 40}, {"max_nodes": 1}])
@pytest.mark.parametrize(("depth", "probability"), [(1, 0.3), (3, 0), (3, 0.3)])
def test_output_and_gradients_are_those_of_pygs_layers(
    make, random_batch, data, depth, probability
):
    fast, slow = make(depth, probability)
    batch = random_batch(2, **data)
    found = seeded(lambda: fast.in_one_pass(batch), fast.parameters())
    assert equal(found, seeded(lambda: slow(batch), slow.parameters()))


@pytest.mark.parametrize("frozen", range(1, 5))
def test_gradients_above_frozen_layers_are_the_same(make, random_batch, frozen):
    """From the input upwards: embeddings, first layer, and so on; of the top, its bias is left."""
    fast, slow = make(3, 0.3)
    batch = random_batch(2)
    for model in (fast, slow):
        parts = [model.embeddings, *model.layers]
        for part in parts[:frozen]:
            part.requires_grad_(requires_grad=False)
        if frozen == len(parts):
            list(model.layers[-1].parameters())[-1].requires_grad_()
    found = seeded(lambda: fast.in_one_pass(batch), fast.parameters())
    assert equal(found, seeded(lambda: slow(batch), slow.parameters()))


def test_embeddings_learn_above_what_is_frozen(make, random_batch):
    """A layer that is frozen passes gradients on to what is not."""
    fast, slow = make(2)
    batch = random_batch(2)
    for model in (fast, slow):
        model.layers.requires_grad_(requires_grad=False)
    found = seeded(lambda: fast.in_one_pass(batch), fast.parameters())
    assert equal(found, seeded(lambda: slow(batch), slow.parameters()))


def test_after_training_it_evaluates_alike(make, random_batch):
    """BatchNorm's running figures are those that torch keeps."""
    fast, slow = make(2, 0.2)
    for seed in range(3):
        batch = random_batch(seed)
        for model, call in ((fast, fast.in_one_pass), (slow, slow)):
            seeded(lambda call=call: call(batch), model.parameters())  # noqa: B023
    for name, value in slow.state_dict().items():
        assert torch.allclose(fast.state_dict()[name], value), name
    for model in (fast, slow):
        model.eval()
    before = copy.deepcopy(fast.state_dict())
    with torch.no_grad():
        found, wanted = fast.in_one_pass(batch), slow(batch)
    assert torch.allclose(found, wanted)
    for name, value in before.items():
        assert torch.equal(fast.state_dict()[name], value), name


def test_in_single_precision_gradients_of_many_nodes_are_as_near(make, random_batch):
    batch = random_batch(4, count=400, max_nodes=40)
    fast, slow = make(2)
    wanted = seeded(lambda: slow(batch), slow.parameters())
    fast = fast.float()
    found = seeded(lambda: fast.in_one_pass(batch), fast.parameters())
    for one, exact in zip(found, wanted, strict=True):
        scale = exact.abs().max().clamp(min=1)
        assert float(((one.double() - exact).abs().median() / scale).detach()) <= 1e-6


@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook"])
def test_whoever_watches_a_part_is_to_see_it(make, random_batch, kind):
    fast, _ = make()
    batch = random_batch()
    for part in (fast.embeddings[1], fast.activation, *fast.layers[2].modules()):
        hook = getattr(part, kind)(lambda *_: None)
        assert fast.in_one_pass(batch) is None
        hook.remove()
    assert fast.in_one_pass(batch) is not None


def test_low_precision_goes_the_way_of_torchs_products(make, random_batch):
    batch = random_batch()
    fast = make()[0].float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert fast.in_one_pass(batch) is None
    assert make()[0].bfloat16().in_one_pass(batch) is None


def without_momentum():
    layers = network()
    layers[1].momentum = None
    return layers


OTHERS = {
    "no rows": (lambda: FastGCN(WIDTH, WIDTH), {"rows": None}),
    "no bias": (lambda: FastGCN(WIDTH, WIDTH, bias=False), {}),
    "no bias of a mean": (lambda: FastSAGE(WIDTH, WIDTH, bias=False), {}),
    "another mean": (lambda: FastSAGE(WIDTH, WIDTH, aggr="max"), {}),
    "another width": (lambda: FastSAGE(WIDTH, WIDTH + 1), {}),
    "a wider network": (lambda: FastGIN(network(WIDTH + 1)), {}),
    "a cumulative average": (lambda: FastGIN(without_momentum()), {}),
    "eps": (lambda: FastGIN(network(), eps=0.5), {}),
    "a gradient in evaluation": (lambda: FastGIN(network()).eval(), {}),
    "another network": (lambda: FastGIN(nn.Linear(WIDTH, WIDTH)), {}),
    "attention": (lambda: FastGAT(WIDTH, WIDTH), {}),
    "PyG's own": (lambda: GCNConv(WIDTH, WIDTH), {}),
    "one node": (lambda: FastGIN(network()), {"count": 1, "max_nodes": 1}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_it_does_not_cover_it_leaves(random_batch, name):
    make, data = OTHERS[name]
    encoder = Encoder(make, 1)
    without = "rows" in data
    batch = random_batch(**({} if without else data))
    embeddings, layers = tuple(encoder.embeddings), list(encoder.layers)
    rows = None if without else batch.neighbours
    assert encode(embeddings, layers, encoder.activation, rows) is None


def test_layers_of_two_kinds_go_one_by_one(random_batch):
    encoder = Encoder(lambda: FastGCN(WIDTH, WIDTH), 1)
    for other in (FastSAGE(WIDTH, WIDTH), FastGIN(network()), GCNConv(WIDTH, WIDTH)):
        layers = [encoder.layers[0], other]
        found = encode(
            tuple(encoder.embeddings), layers, encoder.activation, random_batch().neighbours
        )
        assert found is None


@pytest.mark.parametrize(
    "more", [{"padding_idx": 3}, {"max_norm": 0.1}, {"scale_grad_by_freq": True}, {"sparse": True}]
)
def test_embeddings_that_do_more_than_look_up_do_it(random_batch, more):
    encoder = Encoder(lambda: FastGCN(WIDTH, WIDTH), 1)
    encoder.embeddings[0] = nn.Embedding(TYPES, WIDTH, **more)
    assert encoder.in_one_pass(random_batch()) is None


def test_it_draws_no_random_number_where_it_finds_no_way(random_batch):
    encoder = Encoder(lambda: FastGCN(WIDTH, WIDTH, bias=False), 2, 0.5)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    encoder.in_one_pass(random_batch())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_diverged_state_is_seen(make, random_batch):
    """NaN is not taken for a negative number."""
    fast, _ = make(1)
    batch = random_batch()
    nn.init.constant_(fast.embeddings[0].weight, torch.nan)
    for evaluates in (False, True):
        fast.train(not evaluates)
        with torch.no_grad() if evaluates else nullcontext():
            out = fast.in_one_pass(batch)
        assert bool(out.isnan().all())
