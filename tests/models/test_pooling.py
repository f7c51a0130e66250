"""Pooling: the mean and the largest of each graph's nodes, in fp32 whatever comes in."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.nn import global_mean_pool

from harness.models.pooling import pool_in_fp32


@pytest.fixture(params=[True, False], ids=["rows", "batch"])
def bounds(request):
    """The rows of a batch, or None for pooling by the graph of each node."""
    return lambda batch: batch.neighbours if request.param else None


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_mean_and_the_largest_of_each_graph(random_batch, bounds, seed):
    batch = random_batch(seed)
    hidden = torch.randn(len(batch.x), 4)
    pooled = pool_in_fp32(hidden, batch.batch, batch.num_graphs, bounds(batch))
    assert pooled.shape == (batch.num_graphs, 8)
    for graph in range(batch.num_graphs):
        own = hidden[batch.batch == graph]
        wanted = torch.cat([own.mean(0), own.max(0).values])
        assert torch.allclose(pooled[graph], wanted, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_rows_give_pygs_values_and_gradients(random_batch, seed):
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


@pytest.mark.parametrize("seed", range(3))
def test_its_gradients_are_those_of_finite_differences(random_batch, bounds, seed):
    batch = random_batch(seed, count=3)
    hidden = torch.randn(len(batch.x), 2, dtype=torch.float64, requires_grad=True)
    rows = bounds(batch)
    assert torch.autograd.gradcheck(
        lambda given: pool_in_fp32(given, batch.batch, None, rows), (hidden,)
    )


@pytest.mark.parametrize(("dtype", "factor"), [(torch.bfloat16, 1), (torch.float16, 10)])
def test_a_mean_over_many_nodes_is_summed_and_given_in_fp32(random_batch, bounds, dtype, factor):
    """Rounded at each addition, sums of ones stop at 256 (bf16) or 2048 (fp16)."""
    batch = random_batch(count=1, max_nodes=1000 * factor)
    nodes = len(batch.x)
    assert nodes > 256 * factor
    hidden = torch.ones(nodes, 3, dtype=dtype)
    hidden[: nodes // 200] = 2
    with torch.autocast("cpu", dtype=dtype):
        pooled = pool_in_fp32(hidden, batch.batch, 1, bounds(batch))
        naive = global_mean_pool(hidden, batch.batch, 1)
    wanted = float(hidden.double().mean(0)[0])
    assert pooled.dtype is torch.float32
    assert pooled[0].tolist() == pytest.approx([wanted] * 3 + [2.0] * 3, rel=1e-6)
    assert naive[0].tolist() != pytest.approx([wanted] * 3, rel=1e-4)


def test_nan_is_the_largest_and_part_of_the_mean(random_batch):
    batch = random_batch()
    hidden = torch.randn(len(batch.x), 3)
    hidden[-1, 0] = torch.nan
    pooled = pool_in_fp32(hidden, batch.batch, None, batch.neighbours)
    assert pooled.isnan().nonzero().tolist() == [
        [batch.num_graphs - 1, column] for column in (0, 3)
    ]
