from __future__ import annotations

import json
import math

import numpy as np
import pytest

from harness.gates.benefit import judge_benefit
from harness.gates.words import Verdict


def test_a_benefit_is_proven_when_the_upper_bound_of_the_log_ratio_is_below_zero():
    rng = np.random.default_rng(0)
    less = judge_benefit(rng.normal(math.log(0.8), 0.02, 20), "training time")
    assert less.verdict is Verdict.PASS
    assert -less.decision.lower < 0
    assert less.bounds[1] < 1
    more = judge_benefit(rng.normal(math.log(1.2), 0.02, 20), "training time")
    assert more.verdict is Verdict.FAIL


def test_no_change_at_all_is_no_benefit():
    same = judge_benefit([0.0] * 20, "peak memory")
    assert same.verdict is Verdict.INCONCLUSIVE
    assert "claimed and not shown" in same.sentence
    assert not same.open


@pytest.mark.parametrize(
    ("log_ratios", "sentence"),
    [
        (
            [math.log(0.5)] * 5,
            (
                "PASS after 5 measurements: peak memory is 0.500 times the baseline's, "
                "at most 0.500; less than 1 is claimed"
            ),
        ),
        (
            [math.log(2)] * 3,
            (
                "FAIL after 3 measurements: peak memory is 2.000 times the baseline's, "
                "at least 2.000; less than 1 is claimed"
            ),
        ),
        ([], "INCONCLUSIVE after 0 measurements: peak memory not measured yet"),
    ],
)
def test_sentences(log_ratios: list[float], sentence: str):
    assert judge_benefit(log_ratios, "peak memory").sentence == sentence


def test_it_becomes_json():
    shown = json.loads(json.dumps(judge_benefit([-0.1] * 5, "peak memory").to_json()))
    assert shown["ratio"] == pytest.approx(math.exp(-0.1))
    assert shown["unit"] == "-log(candidate / baseline) of peak memory"
    assert {"verdict", "n", "mean", "se", "lower", "upper", "lean", "more"} <= set(shown)
    assert judge_benefit([], "peak memory").to_json()["ratio_lower"] is None
