"""A layer in one pass over tiles gives what the layer and its activation give one by one."""

from __future__ import annotations

import copy
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch_geometric.nn import GCNConv, GINConv, SAGEConv

from harness.graphs import adjacency
from harness.models import blas, loops
from harness.models.activation import ReLUDropout
from harness.models.convolutions import FastGAT, FastGCN, FastGIN, FastSAGE
from harness.models.one_pass import activated, embedded

WIDTH = 6


def perceptron_layers():
    return nn.Sequential(
        nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH)
    )


LAYERS = {
    "gcn": (lambda: FastGCN(WIDTH, WIDTH), lambda: GCNConv(WIDTH, WIDTH)),
    "sage": (lambda: FastSAGE(WIDTH, WIDTH), lambda: SAGEConv(WIDTH, WIDTH)),
    "gin": (lambda: FastGIN(perceptron_layers()), lambda: GINConv(perceptron_layers())),
}


@pytest.fixture(params=LAYERS)
def layers(request):
    """A fast layer and PyG's, with the same weights in double precision."""
    torch.manual_seed(7)
    fast, slow = (make().double() for make in LAYERS[request.param])
    for parameter in slow.parameters():
        nn.init.normal_(parameter, std=0.5)
    fast.load_state_dict(slow.state_dict())
    return fast, slow


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """A few nodes each, so that a batch has many, of several strips."""
    monkeypatch.setattr(adjacency, "TILE", 30)
    monkeypatch.setattr(blas, "small", lambda: WIDTH * WIDTH * 12)


@pytest.fixture
def passes(monkeypatch):
    """Counts the passes over tiles."""
    counted = []
    for name in ("sum_forward", "sum_forward_of_words", "normal_forward"):
        loop = getattr(loops, name)
        monkeypatch.setattr(
            loops, name, lambda *given, name=name, loop=loop: (counted.append(name), loop(*given))
        )
    return counted


def seeded(call, x, parameters):
    """Output and gradients of a function, with the dropout of seed 5."""
    torch.manual_seed(5)
    x = x.clone().requires_grad_()
    out = call(x)
    direction = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view_as(out)
    return [out, *torch.autograd.grad((out * direction).sum(), [x, *parameters])]


def equal(found, wanted):
    return all(
        torch.allclose(one, other, rtol=1e-6, atol=1e-6)
        for one, other in zip(found, wanted, strict=True)
    )


@pytest.mark.parametrize("data", [{}, {"symmetric": False}, {"count": 40}, {"max_nodes": 1}])
@pytest.mark.parametrize("probability", [0, 0.3])
def test_output_and_gradients_are_those_of_pygs_layer_and_the_activation(
    layers, random_batch, passes, data, probability
):
    fast, slow = layers
    batch = random_batch(2, **data)
    activation = ReLUDropout(probability)
    x = torch.randn(len(batch.x), WIDTH, dtype=torch.float64)
    found = seeded(
        lambda x: activated(fast, activation, x, batch.edge_index, batch.neighbours),
        x, fast.parameters(),
    )  # fmt: skip
    assert passes
    wanted = seeded(lambda x: activation(slow(x, batch.edge_index)), x, slow.parameters())
    assert equal(found, wanted)


@pytest.fixture
def embeddings():
    """Of types and tokens, as the random data sets have them."""
    torch.manual_seed(11)
    return nn.Embedding(128, WIDTH).double(), nn.Embedding(1024, WIDTH).double()


@pytest.mark.parametrize("data", [{}, {"symmetric": False}, {"count": 40}, {"max_nodes": 1}])
@pytest.mark.parametrize("probability", [0, 0.3])
def test_of_embedded_nodes_they_are_those_of_pygs_layer_on_the_sums(
    layers, embeddings, random_batch, passes, data, probability
):
    fast, slow = layers
    of_type, of_token = embeddings
    batch, activation = random_batch(3, **data), ReLUDropout(probability)
    found = seeded_of_ids(
        lambda: embedded(
            embeddings, fast, activation, batch.x, batch.edge_index, batch.neighbours
        ),
        (*embeddings, fast),
    )  # fmt: skip
    assert passes
    wanted = seeded_of_ids(
        lambda: activation(
            slow(of_type(batch.x[:, 0]) + of_token(batch.x[:, 1]), batch.edge_index)
        ),
        (*embeddings, slow),
    )  # fmt: skip
    assert equal(found, wanted)


def seeded_of_ids(call, modules):
    """Output and gradients of all parameters, with the dropout of seed 5."""
    parameters = [value for module in modules for value in module.parameters()]
    out, _, *grads = seeded(lambda x: call() + 0 * x.sum(), torch.zeros(()), parameters)
    return [out, *grads]


def test_embeddings_that_do_more_than_look_up_do_it(layers, random_batch, passes):
    """And so do watched ones, under low precision, and off the rows."""
    batch, activation = random_batch(2), ReLUDropout(0)
    fast, seen = layers[0].float(), []
    watched = nn.Embedding(128, WIDTH)
    watched.register_forward_hook(lambda *_: seen.append(watched))
    plain, of_token = nn.Embedding(128, WIDTH), nn.Embedding(1024, WIDTH)
    scaled, sparse = (
        nn.Embedding(128, WIDTH, **{name: True}) for name in ("scale_grad_by_freq", "sparse")
    )
    padded = nn.Embedding(128, WIDTH, padding_idx=int(batch.x[0, 0]))
    bounded = nn.Embedding(128, WIDTH, max_norm=0.1)
    low = torch.autocast("cpu", dtype=torch.bfloat16)
    for of_type, rows, context in (
        *((one, batch.neighbours, nullcontext()) for one in (watched, scaled, sparse, padded)),
        (bounded, batch.neighbours, nullcontext()),
        (plain, None, nullcontext()),
        (plain, batch.neighbours, low),
    ):
        with context:
            found = embedded(
                (of_type, of_token),
                copy.deepcopy(fast),
                activation,
                batch.x,
                batch.edge_index,
                rows,
            )
            states = of_type(batch.x[:, 0]) + of_token(batch.x[:, 1])
            wanted = activation(copy.deepcopy(fast)(states, batch.edge_index))
        assert torch.allclose(found, wanted, atol=0.05 if context is low else 1e-5)
    assert seen == [watched] * 2
    assert float(bounded.weight.detach()[batch.x[:, 0]].norm(dim=1).max()) <= 0.1 + 1e-5
    assert not passes


def test_after_training_it_evaluates_alike(layers, random_batch, passes):
    """BatchNorm's running figures are those that torch keeps."""
    fast, slow = layers
    activation = ReLUDropout(0.2)
    for seed in range(3):
        batch = random_batch(seed)
        x = torch.randn(len(batch.x), WIDTH, dtype=torch.float64)
        activated(fast, activation, x, batch.edge_index, batch.neighbours)
        slow(x, batch.edge_index)
    for name, value in slow.state_dict().items():
        assert torch.allclose(fast.state_dict()[name], value), name
    for each in (fast, slow, activation):
        each.eval()
    wanted = activation(slow(x, batch.edge_index))
    found = activated(fast, activation, x, batch.edge_index, batch.neighbours)
    assert torch.allclose(found, wanted)
    passes.clear()
    with torch.no_grad():
        found = activated(fast, activation, x, batch.edge_index, batch.neighbours)
    assert passes
    assert torch.allclose(found, wanted)
    for name, value in slow.state_dict().items():
        assert torch.allclose(fast.state_dict()[name], value), name


def test_in_single_precision_gradients_of_many_nodes_are_as_near(layers, random_batch):
    batch = random_batch(4, count=400, max_nodes=40)
    activation = ReLUDropout(0)
    x = torch.randn(len(batch.x), WIDTH)
    wanted = seeded(
        lambda x: activation(layers[1](x, batch.edge_index)), x.double(), layers[1].parameters()
    )
    fast = layers[0].float()
    found = seeded(
        lambda x: activated(fast, activation, x, batch.edge_index, batch.neighbours),
        x, fast.parameters(),
    )  # fmt: skip
    for one, exact in zip(found, wanted, strict=True):
        scale = exact.abs().max().clamp(min=1)
        assert float(((one.double() - exact).abs().median() / scale).detach()) <= 1e-6


@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook"])
def test_whoever_watches_a_module_sees_what_it_alone_gives(layers, random_batch, passes, kind):
    fast, _ = layers
    batch, activation = random_batch(), ReLUDropout(0.5)
    x = torch.randn(len(batch.x), WIDTH, dtype=torch.float64)
    seen = []
    for module in (fast, activation):
        getattr(module, kind)(lambda *given: seen.append(given[0]))
    activated(fast, activation, x, batch.edge_index, batch.neighbours)
    assert seen == [fast, activation]
    assert not passes


def test_low_precision_goes_the_way_of_torchs_products(layers, random_batch, passes):
    fast = layers[0].float()
    batch, activation = random_batch(), ReLUDropout(0)
    x = torch.randn(len(batch.x), WIDTH)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        activated(fast, activation, x, batch.edge_index, batch.neighbours)
    assert not passes


def test_what_it_does_not_cover_it_leaves_to_the_layer(random_batch, passes):
    batch, activation = random_batch(), ReLUDropout(0)
    x = torch.randn(len(batch.x), WIDTH)
    norm = perceptron_layers()
    norm[1].momentum = None
    others = [
        FastGCN(WIDTH, WIDTH, bias=False),
        FastSAGE(WIDTH, WIDTH, bias=False),
        FastSAGE(WIDTH, WIDTH, aggr="max"),
        FastGIN(norm),
        FastGIN(perceptron_layers(), eps=0.5),
        FastGIN(perceptron_layers()).eval(),
        FastGIN(nn.Linear(WIDTH, WIDTH)),
        FastGAT(WIDTH, WIDTH),
    ]
    for layer in others:
        alike = copy.deepcopy(layer)
        found = activated(layer, activation, x, batch.edge_index, batch.neighbours)
        assert torch.allclose(found, activation(alike(x, batch.edge_index)), atol=1e-5)
    assert not passes


def test_a_diverged_state_is_seen(layers, random_batch):
    """NaN is not taken for a negative number."""
    fast, _ = layers
    batch = random_batch()
    x = torch.full((len(batch.x), WIDTH), torch.nan, dtype=torch.float64)
    for probability in (0, 0.2):
        activation = ReLUDropout(probability)
        out = activated(fast, activation, x, batch.edge_index, batch.neighbours)
        kept = out if not probability else out[out != 0]
        assert bool(kept.isnan().all())
        assert len(kept)


def test_one_node_has_no_variance_to_train_on(random_batch):
    batch = random_batch(count=1, max_nodes=1)
    layer, x = FastGIN(perceptron_layers()), torch.randn(1, WIDTH)
    with pytest.raises(ValueError, match="more than 1 value"):
        activated(layer, ReLUDropout(0), x, batch.edge_index, batch.neighbours)
