"""Sums of products by tiles have the gradients that they should."""

from __future__ import annotations

import torch

from harness.models import fused, perceptron


def test_gradients_are_those_of_finite_differences(random_batch):
    batch = random_batch(1)
    rows = batch.neighbours
    x = torch.randn(len(batch.x), 3, dtype=torch.float64, requires_grad=True)
    weights = [torch.randn(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, weight, own, bias: fused.sum_products(
            x, (weight, own), bias, (rows.averaged, (rows, None), perceptron.OFF)
        ),
        (x, *weights, bias), atol=1e-5,
    )  # fmt: skip
