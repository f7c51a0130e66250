"""Pooling by bags is PyG's pooling, forward and backward."""

from __future__ import annotations

import pytest
import torch

from harness.models.pooling import pool_in_fp32


@pytest.mark.parametrize("seed", range(4))
def test_bags_give_pygs_values_and_gradients(random_batch, seed):
    batch = random_batch(seed, count=9, max_nodes=12)
    hidden = torch.randn(len(batch.x), 5, dtype=torch.float64)
    found = []
    for rows in (batch.neighbours, None):
        leaf = hidden.clone().requires_grad_()
        out = pool_in_fp32(leaf, batch.batch, batch.num_graphs, rows)
        (out * torch.arange(out.numel()).view_as(out).cos()).sum().backward()
        found.append((out.detach(), leaf.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_gradients_are_those_of_finite_differences(random_batch):
    batch = random_batch(1, count=4, max_nodes=6)
    hidden = torch.randn(len(batch.x), 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda leaf: pool_in_fp32(leaf, batch.batch, None, batch.neighbours), hidden
    )
