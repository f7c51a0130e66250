from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gates.needed import BEYOND, MORE_SAMPLES, pairs_in_all, pairs_still_needed
from harness.gates.sequential import decide

gaps = st.floats(-0.1, 0.1).filter(lambda gap: abs(gap) > 1e-3)
sds = st.floats(0, 0.1)


@given(gaps, sds, st.floats(0, 1e-5))
def test_more_power_noise_or_shared_variance_never_needs_fewer_pairs(
    gap: float, sd: float, v_cov: float
):
    base = pairs_in_all(gap, sd, v_cov, 0.5)
    assert pairs_in_all(gap, sd, v_cov, 0.8) >= base
    assert pairs_in_all(gap, sd + 0.01, v_cov, 0.5) >= base
    assert pairs_in_all(gap, sd, v_cov + 1e-5, 0.5) >= base
    assert pairs_in_all(2 * gap, sd, v_cov, 0.5) <= base


def test_no_seeds_help_where_the_shared_variance_alone_hides_the_gap():
    assert math.isinf(pairs_in_all(0.01, 0.02, 1e-4, 0.8))
    assert pairs_still_needed(5, 0.01, 0.02, 1e-4, 0.8) == (None, MORE_SAMPLES)


def test_a_gap_of_nothing_or_too_little_is_beyond_the_plan():
    assert pairs_still_needed(5, 0.0, 0.02, 0.0, 0.8) == (None, BEYOND)
    assert pairs_still_needed(5, 0.001, 0.02, 0.0, 0.8) == (None, BEYOND)


def test_at_least_one_more_pair_is_needed_where_the_formula_is_already_met():
    assert pairs_still_needed(15, 0.05, 0.01, 0.0, 0.8) == (1, "")


def test_no_decision_is_promised_before_the_first_look():
    assert pairs_in_all(0.05, 0.0, 0.0, 0.8) == 5
    assert pairs_in_all(-0.05, 0.0, 0.0, 0.8) == 3


@pytest.mark.parametrize(("true", "sd"), [(0.035, 0.02), (0.045, 0.03), (0.005, 0.02)])
def test_the_number_is_about_right(true: float, sd: float):
    # Run the sequential test with the promised number as its budget: near 80 % are decided.
    total = int(pairs_in_all(true - 0.02, sd, 0.0, 0.8))
    draws = np.random.default_rng(4).normal(true, sd, (1500, total))
    decided = sum(decide(row, 0.02, budget=total).verdict != "INCONCLUSIVE" for row in draws)
    assert decided / 1500 == pytest.approx(0.8, abs=0.08)
