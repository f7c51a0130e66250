"""Focal loss against its formula, in double precision."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from features.focal_loss import FocalLoss

LOGIT = st.floats(-30, 30, width=32)


def focal(gamma):
    return FocalLoss(gamma=gamma).criterion(None)


def reference(logits, label, gamma):
    """(1 - p)^gamma (-log p) of one graph, term by term in double precision."""
    largest = max(logits)
    log_sum = largest + math.log(math.fsum(math.exp(value - largest) for value in logits))
    log_p = logits[label] - log_sum
    rest = math.fsum(
        math.exp(value - log_sum) for place, value in enumerate(logits) if place != label
    )
    return rest**gamma * -log_p


@given(
    st.lists(LOGIT, min_size=2, max_size=4), st.integers(0, 1), st.sampled_from([0, 0.5, 1, 2, 5])
)
def test_it_is_its_formula(logits, label, gamma):
    wanted, place = reference(logits, label, gamma), torch.tensor([label])
    double = focal(gamma)(torch.tensor([logits], dtype=torch.float64), place)
    single = focal(gamma)(torch.tensor([logits]), place)
    assert double.shape == single.shape == (1,)
    assert float(double) == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    assert float(single) == pytest.approx(wanted, rel=1e-4, abs=1e-5)


@given(st.lists(st.tuples(LOGIT, LOGIT, st.integers(0, 1)), min_size=1, max_size=8))
def test_at_gamma_zero_it_is_cross_entropy(rows):
    logits = torch.tensor([row[:2] for row in rows])
    label = torch.tensor([row[2] for row in rows])
    wanted = functional.cross_entropy(logits, label, reduction="none")
    assert torch.allclose(focal(0)(logits, label), wanted, rtol=1e-6, atol=0)


@given(st.floats(0.01, 10), st.floats(-20, 20))
def test_it_is_below_cross_entropy_and_falls_with_gamma(gamma, margin):
    logits, label = torch.tensor([[margin, 0.0]], dtype=torch.float64), torch.tensor([0])
    plain, weak, strong = (float(focal(value)(logits, label)) for value in (0, gamma / 2, gamma))
    assert strong <= weak <= plain


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 2.0])
@pytest.mark.parametrize("margin", [-90.0, 0.0, 20.0, 60.0, 90.0])
def test_gradients_are_finite_even_where_the_graph_is_sure(gamma, margin):
    logits = torch.tensor([[margin, 0.0]], requires_grad=True)
    focal(gamma)(logits, torch.tensor([0])).sum().backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradients_are_those_of_finite_differences(gamma):
    logits = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    label = torch.tensor([0, 1, 2, 0, 1, 2])
    assert torch.autograd.gradcheck(lambda given: focal(gamma)(given, label), (logits,))
