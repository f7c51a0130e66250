"""Dropout with bits of its own is dropout."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from harness.models.dropout import Dropout, multipliers


@pytest.mark.parametrize("probability", [0.1, 0.2, 0.5, 0.9])
def test_elements_are_dropped_at_the_probability_and_the_others_scaled_up(probability):
    torch.manual_seed(1)
    x = torch.ones(400, 500)
    out = Dropout(probability)(x)
    dropped = int((out == 0).sum())
    assert binomtest(dropped, x.numel(), probability).pvalue > 1e-3
    kept = out[out != 0].unique()
    assert kept.tolist() == pytest.approx([1 / (1 - probability)], rel=1e-4)
    assert float(out.mean()) == pytest.approx(1, abs=6 * math.sqrt(probability / x.numel()) + 0.01)


def test_neighbouring_elements_are_dropped_independently():
    torch.manual_seed(2)
    kept = (multipliers(torch.empty(400_000), 0.5) != 0).double()
    for lag in (1, 2, 3, 4, 8, 16):
        correlation = float(torch.corrcoef(torch.stack([kept[:-lag], kept[lag:]]))[0, 1])
        assert abs(correlation) < 4 / math.sqrt(len(kept))


@given(st.integers(0, 40), st.floats(0, 1, exclude_max=True))
def test_any_size_and_probability_is_served(size, probability):
    drawn = multipliers(torch.empty(size), probability)
    assert drawn.shape == (size,)
    assert torch.isfinite(drawn).all()
    assert len(drawn.unique()) <= 2


def test_it_follows_the_seed_and_passes_through_in_evaluation():
    layer, x = Dropout(0.5), torch.randn(7, 3)
    draws = []
    for _ in range(2):
        torch.manual_seed(4)
        draws.append(layer(x))
    assert torch.equal(*draws)
    assert layer.eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_gradients_go_through_what_was_kept():
    x = torch.randn(50, 3, requires_grad=True)
    out = Dropout(0.5)(x)
    out.sum().backward()
    assert torch.equal(x.grad == 0, out == 0)
    assert x.grad.unique().tolist() == [0, 2]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_the_type_is_that_of_the_input(dtype):
    assert Dropout(0.3)(torch.ones(9, dtype=dtype)).dtype is dtype
