"""What a model keeps: counted, hence the same every time, and in proportion to what it does."""

from __future__ import annotations

import pytest
import torch

from harness.matrix.footprint import measure
from harness.models import MODELS, DataShape, make_model
from harness.selection import parse_single
from harness.testing import planted_graphs

BUILT_IN = ("gat", "gcn", "gin", "sage")


@pytest.fixture(scope="module")
def graphs():
    return planted_graphs(200)


def of(graphs, text, device="cpu"):
    return measure(parse_single(text), graphs, device)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("model", BUILT_IN)
def test_it_is_the_same_every_time_and_draws_nothing(graphs, model, device):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert of(graphs, model, device) == of(graphs, model, device)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("model", BUILT_IN)
def test_what_is_fixed_are_five_copies_of_the_weights(graphs, model):
    net = make_model(parse_single(model), DataShape.of(graphs))
    wanted = sum(each.nbytes for each in (*net.parameters(), *net.buffers()))
    assert of(graphs, model).fixed == 5 * wanted


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("model", BUILT_IN)
def test_nodes_take_more_in_wider_and_deeper_models(graphs, model, device):
    """Beside the batch itself, bytes of a node go with the width and with the layers."""
    narrow = of(graphs, f"{model}[hidden=64]", device).per_node
    wide = of(graphs, f"{model}[hidden=256]", device).per_node
    deep = of(graphs, f"{model}[hidden=256,layers=9]", device).per_node
    assert 2.5 < wide / narrow < 4
    assert 1.8 < deep / wide < 3.5


def test_a_layer_keeps_at_least_its_output(graphs):
    one, two = (of(graphs, f"sage[hidden=128,layers={n}]").per_node for n in (4, 5))
    assert two - one >= 128 * 4


def test_messages_take_more_than_rows(graphs):
    assert of(graphs, "gat", "cuda").per_node > 1.5 * of(graphs, "gat").per_node


def test_any_registered_model_can_be_measured(graphs):
    assert all(of(graphs, name).of(1000) > 0 for name, _ in MODELS)
