from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from harness.errors import UsageError
from harness.gates.planning import fixed_pairs, power

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(("sd", "gap"), [(0.02, 0.01), (0.02, 0.03), (0.04, 0.02), (0.01, -0.01)])
def test_the_fixed_size_has_the_power_it_is_planned_for(sd: float, gap: float):
    def t_power(n: int):
        critical = stats.t.isf(0.05, n - 1)
        return stats.nct.sf(critical, n - 1, abs(gap) / sd * np.sqrt(n))

    n = fixed_pairs(sd, gap)
    assert t_power(n) >= 0.78
    assert t_power(n - 2) < 0.8


def test_the_formula():
    assert fixed_pairs(0.02, 0.01) == int(np.ceil((1.645 + 0.842) ** 2 * 4 + 1.35))


def test_the_power_of_the_design_in_words():
    # The promise in the documentation: 58 %, here within 2.6 standard errors of 4,000 gates.
    found = power(0.03, 0.02, rng=np.random.default_rng(0))
    assert found.rates.passed == pytest.approx(0.58, abs=0.02)
    percent = round(100 * found.rates.passed)
    assert found.sentence == f"true +3 points at sd 0.02 passes in {percent} % within 20 pairs"
    shown = json.loads(json.dumps(found.to_json()))
    assert shown["passed"] == found.rates.passed


def test_a_larger_budget_decides_more():
    small, large = (
        power(0.03, 0.02, rng=np.random.default_rng(0), budget=budget, gates=500).rates
        for budget in (8, 20)
    )
    assert large.passed > small.passed
    assert large.mean_pairs > small.mean_pairs


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: fixed_pairs(0.02, 0.0), "gap"),
        (lambda: fixed_pairs(-0.02, 0.1), "sd"),
        (lambda: power(0.0, -1.0, rng=np.random.default_rng(0)), "sd"),
        (lambda: power(0.0, 1.0, rng=np.random.default_rng(0), gates=0), "gates"),
        (lambda: power(0.0, 1.0, rng=np.random.default_rng(0), budget=2), "budget"),
    ],
)
def test_what_cannot_be_planned_is_refused(call: Callable[[], object], named: str):
    with pytest.raises(UsageError) as caught:
        call()
    assert caught.value.where == named
