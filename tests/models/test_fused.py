"""An encoder of sums by tiles has the gradients that it should."""

from __future__ import annotations

import pytest
import torch

from harness.graphs import adjacency
from harness.models import fused
from harness.models.fused import SumLayer, Way, lowest_layer

WIDTH, DEPTH = 3, 2


@pytest.mark.parametrize("owned", [True, False])
def test_gradients_are_those_of_finite_differences(random_batch, monkeypatch, owned):
    monkeypatch.setattr(adjacency, "TILE", 10)
    rows = random_batch(1, count=4).neighbours
    words = len(rows.kinds.words.types) + len(rows.kinds.words.tokens)
    way = Way(rows, rows.averaged, ((0, 0, 1.0),) * DEPTH)
    torch.manual_seed(1)
    shapes = [(words, WIDTH), *[(WIDTH, WIDTH)] * DEPTH * (2 if owned else 1), *[(WIDTH,)] * DEPTH]
    values = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]

    def through(x, *parameters):
        own = parameters[DEPTH:-DEPTH] or (None,) * DEPTH
        parts = zip(parameters[:DEPTH], own, parameters[-DEPTH:], strict=True)
        return fused.encode(x, [SumLayer(*each) for each in parts], way)

    assert torch.autograd.gradcheck(through, values, atol=1e-5)


def test_the_lowest_layer_is_the_first_that_wants_a_gradient():
    assert lowest_layer([[False], [False]], of_input=True) == 0
    assert lowest_layer([[True, False], [False]], of_input=False) == 0
    assert lowest_layer([[False, False], [False, True]], of_input=False) == 1
    assert lowest_layer([[False], [False]], of_input=False) == 2
