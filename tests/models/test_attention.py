"""Attention over rows against its formula, and its gradients against finite differences."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import leaky_relu

from harness.models.attention import attend
from harness.models.neighbours import expand


def by_formula(x, logits, rows, slope):
    """One softmax a node, in plain autograd."""
    out = []
    for node in range(len(rows.length)):
        entries = rows.index[rows.ends[node] : rows.ends[node + 1]].long()
        share = leaky_relu(logits[entries, 0] + logits[node, 1], slope).softmax(0)
        out.append((share[:, :, None] * x[entries]).sum(0))
    return torch.stack(out)


def draw(rows, nodes, seed=0, heads=2):
    torch.manual_seed(seed)
    shapes = (nodes, heads, 3), (nodes, 2, heads)
    return [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_attention_is_its_formula_with_its_gradients(random_batch, seed, symmetric):
    rows = random_batch(seed, count=3, symmetric=symmetric).neighbours.into.with_self
    given = draw(rows, len(rows.length), seed)
    assert torch.allclose(attend(*given, rows, 0.2), by_formula(*given, rows, 0.2))
    assert torch.autograd.gradcheck(lambda *inputs: attend(*inputs, rows, 0.2), given)


def test_from_kinds_it_is_the_same_with_gradients_summed_over_nodes(random_batch):
    neighbours = random_batch(3).neighbours
    rows, kinds = neighbours.into.with_self, neighbours.kinds
    given = draw(rows, len(kinds.x))
    out = attend(*given, rows, 0.2, kinds)
    wanted = by_formula(*(one[kinds.of_node] for one in given), rows, 0.2)
    assert torch.allclose(out, wanted)
    direction = torch.randn_like(out)
    found = torch.autograd.grad((out * direction).sum(), given)
    expected = torch.autograd.grad((wanted * direction).sum(), given)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other)
    assert torch.autograd.gradcheck(lambda *inputs: attend(*inputs, rows, 0.2, kinds), given)
    assert expand(given[0].flatten(1), kinds).shape[0] == len(rows.length)


def test_large_logits_do_not_overflow(random_batch):
    rows = random_batch().neighbours.into.with_self
    nodes = len(rows.length)
    x = torch.ones(nodes, 1, 1, requires_grad=True)
    out = attend(x, 1e4 * torch.randn(nodes, 2, 1), rows, 0.2)
    assert torch.allclose(out, torch.ones_like(out), rtol=1e-5)
    out.sum().backward()
    assert torch.isfinite(x.grad).all()


def test_a_logit_that_is_no_number_is_seen_in_the_output(random_batch):
    rows = random_batch().neighbours.into.with_self
    nodes = len(rows.length)
    logits = torch.zeros(nodes, 2, 1)
    logits[0, 0] = torch.nan
    assert attend(torch.ones(nodes, 1, 1), logits, rows, 0.2)[0].isnan().all()
