"""GIN's network by tiles has the gradients that it should."""

from __future__ import annotations

import copy

import torch
from torch import nn

from harness.models import perceptron

WIDTH = 6


def test_gradients_through_a_norm_are_those_of_finite_differences(random_batch):
    batch = random_batch(1)
    rows, layers = batch.neighbours, perceptron_of_doubles()
    x = torch.randn(len(batch.x), WIDTH, dtype=torch.float64, requires_grad=True)

    def transform(x, *parameters):
        names = [name for name, _ in layers.named_parameters()]
        held = copy.deepcopy(layers)
        for name, value in zip(names, parameters, strict=True):
            module, _, last = name.partition(".")
            delattr(held[int(module)], last)
            setattr(held[int(module)], last, value)
        how = rows.summed_with_self, (rows, None), perceptron.OFF
        return perceptron.sum_and_transform(x, (held[0], held[1], held[3]), how)

    assert torch.autograd.gradcheck(transform, (x, *layers.parameters()), atol=1e-5)


def perceptron_of_doubles():
    torch.manual_seed(3)
    layers = nn.Sequential(
        nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH)
    ).double()
    nn.init.normal_(layers[1].weight)
    return layers
