"""Sums over rows against sums over edges, and their gradients against finite differences."""

from __future__ import annotations

import pytest
import torch

from harness.models.neighbours import attention_sum, neighbour_sum, usable


def by_edges(x, batch, weight=None):
    """The sum over incoming edges, one message an edge."""
    source, target = batch.neighbours.source.long(), batch.neighbours.target
    messages = x[source] if weight is None else x[source] * weight[:, None]
    return torch.zeros_like(x).index_add_(0, target, messages)


@pytest.mark.parametrize("seed", range(5))
def test_a_sum_over_rows_is_the_sum_over_edges(random_batch, seed):
    batch = random_batch(seed)
    x = torch.randn(len(batch.x), 3, dtype=torch.float64)
    weight = torch.rand(len(batch.neighbours.target), dtype=torch.float64)
    assert torch.allclose(neighbour_sum(x, batch.neighbours), by_edges(x, batch))
    assert torch.allclose(neighbour_sum(x, batch.neighbours, weight), by_edges(x, batch, weight))


def reverse_of(batch, values):
    """For each edge a value of its reverse, where equal edges have equal values."""
    rows = batch.neighbours
    pairs = list(zip(rows.source.tolist(), rows.target.tolist(), strict=True))
    found = dict(zip(pairs, values.tolist(), strict=True))
    return torch.tensor([found[target, source] for source, target in pairs], dtype=values.dtype)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_of_a_sum_are_those_of_finite_differences(random_batch, seed):
    batch = random_batch(seed, count=3)
    rows = batch.neighbours
    x = torch.randn(len(batch.x), 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda given: neighbour_sum(given, rows), (x,))
    weight = 1 / rows.degree.double().clamp(min=1)[rows.target]
    back = reverse_of(batch, weight)
    assert torch.autograd.gradcheck(lambda given: neighbour_sum(given, rows, weight, back), (x,))


@pytest.mark.parametrize("seed", range(4))
def test_attention_is_its_formula_with_its_gradients(random_batch, seed):
    batch = random_batch(seed, count=3)
    nodes, heads = len(batch.x), 2
    given = [
        torch.randn(*shape, dtype=torch.float64, requires_grad=True)
        for shape in ((nodes, heads, 3), (nodes, heads), (nodes, heads))
    ]

    def fast(x, source, target):
        return attention_sum(x, source, target, batch.neighbours, 0.2)

    x, source, target = given
    loops = torch.arange(nodes)
    ends = (
        torch.cat([batch.neighbours.source.long(), loops]),
        torch.cat([batch.neighbours.target, loops]),
    )
    logit = torch.nn.functional.leaky_relu(source[ends[0]] + target[ends[1]], 0.2)
    wanted = torch.zeros_like(x)
    for node in range(nodes):
        here = ends[1] == node
        share = logit[here].softmax(0)
        wanted = wanted.index_add(
            0, torch.tensor([node]), (share[:, :, None] * x[ends[0][here]]).sum(0)[None]
        )
    assert torch.allclose(fast(*given), wanted)
    assert torch.autograd.gradcheck(fast, given)


def test_large_logits_do_not_overflow(random_batch):
    batch = random_batch()
    nodes = len(batch.x)
    logits = 1e4 * torch.randn(2, nodes, 1)
    x = torch.ones(nodes, 1, 1, requires_grad=True)
    out = attention_sum(x, *logits, batch.neighbours, 0.2)
    assert torch.allclose(out, torch.ones_like(out), rtol=1e-5)
    out.sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_is_summed_in_fp32(random_batch, dtype):
    batch = random_batch()
    out = neighbour_sum(torch.ones(len(batch.x), 1, dtype=dtype), batch.neighbours)
    assert out.dtype is torch.float32
    assert torch.equal(out[:, 0], batch.neighbours.degree)


def test_rows_are_used_where_they_are_their_own_transpose(random_batch):
    x = torch.zeros(1)
    assert usable(random_batch().neighbours, x)
    assert not usable(None, x)
    assert not usable(random_batch(symmetric=False).neighbours, x)
    assert not usable(random_batch().neighbours, x.to("meta"))
