"""An encoder of GIN layers by tiles has the gradients that it should."""

from __future__ import annotations

import copy

import torch
from torch import nn

from harness.graphs import adjacency
from harness.models import perceptron
from harness.models.fused import Way
from harness.models.perceptron import PerceptronLayer

WIDTH, DEPTH = 4, 2


def test_gradients_through_norms_are_those_of_finite_differences(random_batch, monkeypatch):
    monkeypatch.setattr(adjacency, "TILE", 10)
    rows = random_batch(1, count=4).neighbours
    words = len(rows.kinds.words.types) + len(rows.kinds.words.tokens)
    way = Way(rows, rows.summed_with_self, ((0, 0, 1.0),) * DEPTH)
    torch.manual_seed(3)
    layers = nn.ModuleList(
        nn.ModuleList([nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, WIDTH)])
        for _ in range(DEPTH)
    ).double()
    for part in layers:
        nn.init.normal_(part[1].weight)
    x = torch.randn(words, WIDTH, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in layers.named_parameters()]

    def through(x, *parameters):
        held = copy.deepcopy(layers)
        for name, value in zip(names, parameters, strict=True):
            place, part, last = name.split(".")
            delattr(held[int(place)][int(part)], last)
            setattr(held[int(place)][int(part)], last, value)
        return perceptron.encode(x, [PerceptronLayer(*parts) for parts in held], way)

    assert torch.autograd.gradcheck(through, (x, *layers.parameters()), atol=1e-5)
