from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import nn

from harness.training.clipping import clip

VALUES = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=6)


def _with_gradients(parts):
    parameters = [nn.Parameter(torch.zeros(len(part))) for part in parts]
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = torch.tensor(part)
    return parameters


@given(parts=st.lists(VALUES, min_size=1, max_size=4), limit=st.sampled_from([0.0, 0.1, 5.0, 1e6]))
def test_the_norm_is_that_of_all_gradients_before_they_are_scaled(parts, limit):
    parameters = _with_gradients(parts)
    before = torch.cat([each.grad for each in parameters]).double()
    norm = float(clip(parameters, limit))
    after = torch.cat([each.grad for each in parameters]).double()
    assert norm == pytest.approx(float(before.norm()), rel=1e-5, abs=1e-30)
    factor = min(1.0, limit / norm) if limit and norm else 1.0
    torch.testing.assert_close(after, before * factor, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_a_frozen_parameter_has_no_part(limit):
    with_it, frozen = _with_gradients([[3.0, 4.0]])[0], nn.Parameter(torch.ones(2))
    assert float(clip([with_it, frozen], limit)) == pytest.approx(5.0)
    assert frozen.grad is None


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_a_norm_that_is_not_finite_is_given_back_as_it_is(limit):
    assert not math.isfinite(float(clip(_with_gradients([[1.0, math.inf]]), limit)))
