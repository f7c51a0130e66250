from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.errors import UsageError
from harness.gates.estimate import estimate, shared_variances


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30))
def test_without_contributions_it_is_the_standard_error_of_the_mean(d: list[float]):
    seen = estimate(d)
    assert seen.mean == pytest.approx(np.mean(d), abs=1e-12)
    assert seen.se == pytest.approx(np.std(d, ddof=1) / np.sqrt(len(d)), abs=1e-12)
    assert (seen.n, seen.v_cov) == (len(d), 0.0)


@given(hnp.arrays(np.float64, (6, 5), elements=st.floats(-1, 1)))
def test_shared_variance_is_the_sum_over_different_pairs(c: Any):
    for n, v_cov in enumerate(shared_variances(c, 6), 1):
        brute = sum(c[k] @ c[m] for k in range(n) for m in range(n) if k != m)
        assert v_cov == pytest.approx(max(0.0, brute) / n**2, abs=1e-12)


def test_one_difference_has_no_spread():
    with pytest.raises(UsageError, match="at least 2 pairs"):
        estimate([0.1])


def test_crossed_seed_and_sample_effects_are_both_in_the_error():
    # Difference k of a fixed gate: seed noise plus the mean of the same sample effects.
    rng = np.random.default_rng(3)
    means, claimed = [], []
    for _ in range(400):
        sample = rng.normal(0, 1.0, 50)
        noise = rng.normal(0, 0.1, 8)
        d = noise + sample.mean()
        seen = estimate(d, np.tile((sample - sample.mean()) / 50, (8, 1)))
        means.append(seen.mean)
        claimed.append(seen.se**2)
    assert np.sqrt(np.mean(claimed)) / np.std(means) == pytest.approx(1.0, abs=0.12)
