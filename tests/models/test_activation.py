"""ReLU and dropout in one pass are ReLU and dropout."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from harness.models.activation import ReLUDropout


def kept(seed, *shape, probability=0.5):
    torch.manual_seed(seed)
    return ReLUDropout(probability)(torch.ones(*shape)) != 0


@pytest.mark.parametrize("probability", [0.1, 0.2, 0.5, 0.9])
def test_elements_are_dropped_at_the_probability_and_the_others_scaled_up(probability):
    torch.manual_seed(1)
    x = torch.ones(400, 500)
    out = ReLUDropout(probability)(x)
    dropped = int((out == 0).sum())
    assert binomtest(dropped, x.numel(), probability).pvalue > 1e-3
    assert out[out != 0].unique().tolist() == pytest.approx([1 / (1 - probability)], rel=1e-4)
    assert float(out.mean()) == pytest.approx(1, abs=6 * math.sqrt(probability / x.numel()) + 0.01)


def test_counts_by_row_and_column_vary_as_a_binomial_does():
    drawn = kept(5, 1000, 1000).double()
    for axis in (0, 1):
        variance = float(drawn.sum(axis).var())
        assert variance == pytest.approx(250, rel=5 * math.sqrt(2 / 1000))


@pytest.mark.parametrize("width", [128, 100])
def test_elements_are_independent_of_those_around_them(width):
    drawn = kept(2, 4000, width).double().flatten()
    for lag in (1, 2, 3, 4, 8, width - 1, width, width + 1, 2 * width):
        correlation = float(torch.corrcoef(torch.stack([drawn[:-lag], drawn[lag:]]))[0, 1])
        assert abs(correlation) < 4.5 / math.sqrt(len(drawn)), lag


def test_layers_steps_and_seeds_draw_independently():
    """Masks of one seed one after the other, and of seeds side by side."""
    masks = []
    for seed in (0, 1, 2, 1_000_003):
        torch.manual_seed(seed)
        layer = ReLUDropout(0.2)
        masks += [(layer(torch.ones(1000, 128)) != 0).double().flatten() for _ in range(3)]
    for one, other in itertools.combinations(masks, 2):
        assert abs(float(torch.corrcoef(torch.stack([one, other]))[0, 1])) < 5 / math.sqrt(128_000)


@given(st.integers(0, 12), st.integers(1, 9), st.floats(0, 1, exclude_max=True))
def test_any_shape_and_probability_is_served(nodes, width, probability):
    x = torch.randn(nodes, width)
    out = ReLUDropout(probability)(x)
    assert out.shape == x.shape
    assert torch.isfinite(out).all()
    assert not out[x <= 0].any()


def test_it_follows_the_seed_and_only_activates_in_evaluation():
    layer, x = ReLUDropout(0.5), torch.randn(7, 3)
    draws = []
    for _ in range(2):
        torch.manual_seed(4)
        draws.append(layer(x))
    assert torch.equal(*draws)
    assert torch.equal(layer.eval()(x), x.relu())
    assert torch.equal(ReLUDropout(0.0)(x), x.relu())


@pytest.mark.parametrize("transposed", [True, False])
def test_gradients_go_through_what_was_kept(transposed):
    x = torch.randn(50, 30, requires_grad=True)
    out = ReLUDropout(0.5)(x.T if transposed else x)
    received = torch.randn(*out.shape)
    out.backward(received)
    expected = torch.where(out > 0, 2 * received, 0)
    assert torch.equal(x.grad, expected.T if transposed else expected)
    assert not x.grad[x <= 0].any()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_low_precision_comes_out_as_fp32_with_its_gradient_as_it_came(dtype, training):
    low = dtype in (torch.bfloat16, torch.float16)
    x = torch.randn(9, 2, dtype=dtype, requires_grad=True)
    activation = ReLUDropout(0.3).train(training)
    torch.manual_seed(1)
    out = activation(x)
    assert out.dtype is (torch.float32 if low else dtype)
    torch.manual_seed(1)
    assert torch.equal(out, activation(x.float() if low else x))
    out.sum().backward()
    assert x.grad.dtype is dtype


def test_a_diverged_value_stays_seen():
    torch.manual_seed(0)
    out = ReLUDropout(0.1)(torch.full((40, 40), torch.nan))
    assert out.isnan().any()
