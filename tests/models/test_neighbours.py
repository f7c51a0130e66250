"""Sums over rows against sums over edges, and their gradients against finite differences."""

from __future__ import annotations

import pytest
import torch

from harness.models.neighbours import aggregate, expand

AGGREGATIONS = ("summed", "summed_with_self", "averaged", "normalised")


def by_edges(x, aggregation):
    """The sum over incoming edges, one message an edge."""
    rows, weight = aggregation.rows, aggregation.weight
    messages = x[rows.index] if weight is None else x[rows.index] * weight[:, None]
    return torch.zeros_like(x).index_add_(0, rows.row, messages.to(x.dtype))


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("name", AGGREGATIONS)
@pytest.mark.parametrize("seed", range(3))
def test_a_sum_over_rows_is_the_sum_over_edges(random_batch, seed, name, symmetric):
    batch = random_batch(seed, symmetric=symmetric)
    x = torch.randn(len(batch.x), 3, dtype=torch.float64)
    aggregation = getattr(batch.neighbours, name)
    assert torch.allclose(aggregate(x, aggregation), by_edges(x, aggregation))


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("name", AGGREGATIONS)
def test_gradients_are_those_of_finite_differences(random_batch, name, symmetric):
    batch = random_batch(1, count=3, symmetric=symmetric)
    kinds, aggregation = batch.neighbours.kinds, getattr(batch.neighbours, name)
    x = torch.randn(len(batch.x), 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda given: aggregate(given, aggregation), (x,))
    x = torch.randn(len(kinds.x), 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda given: aggregate(given, aggregation, kinds), (x,))
    assert torch.autograd.gradcheck(lambda given: expand(given, kinds), (x,))


@pytest.mark.parametrize("name", AGGREGATIONS)
def test_from_kinds_it_is_the_same_as_from_their_nodes(random_batch, name):
    rows = random_batch(2).neighbours
    x = torch.randn(len(rows.kinds.x), 4, dtype=torch.float64)
    expanded = expand(x, rows.kinds)
    assert torch.equal(expanded, x[rows.kinds.of_node])
    aggregation = getattr(rows, name)
    assert torch.allclose(aggregate(x, aggregation, rows.kinds), aggregate(expanded, aggregation))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_is_summed_in_fp32(random_batch, dtype):
    rows = random_batch().neighbours
    out = aggregate(torch.ones(len(rows.into.length), 1, dtype=dtype), rows.summed)
    assert out.dtype is torch.float32
    assert torch.equal(out[:, 0], rows.into.length)


def test_a_sum_of_many_ones_does_not_saturate(random_batch):
    """Rounded at each addition, bf16 stops at 256 and fp16 at 2048."""
    rows = random_batch(count=1, max_nodes=1).neighbours.into
    many = type(rows)(torch.tensor([0, 5000], dtype=torch.int32), torch.zeros(5000).int())
    aggregation = type(random_batch().neighbours.summed)(many, None, many, None)
    for dtype in (torch.bfloat16, torch.float16):
        assert float(aggregate(torch.ones(1, 1, dtype=dtype), aggregation)) == 5000


def test_an_unused_aggregation_of_kinds_has_no_gradient_to_lose(random_batch):
    rows = random_batch(4).neighbours
    x = torch.randn(len(rows.kinds.x), 2, dtype=torch.bfloat16, requires_grad=True)
    expand(x, rows.kinds).sum().backward()
    assert x.grad.dtype is torch.bfloat16
    assert x.grad[:, 0].float().tolist() == rows.kinds.nodes.length.tolist()
