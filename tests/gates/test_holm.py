from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from harness.errors import UsageError
from harness.gates.f1_gate import Evidence, judge_f1
from harness.gates.holm import constant, holm
from harness.gates.holm_table import C_PASS_OF
from harness.gates.tables import C_PASS
from harness.gates.words import Verdict


def result(d: list[float], *, budget: int = 20):
    return judge_f1(Evidence(tuple(range(len(d))), tuple(d)), 0.02, budget=budget)


def test_one_result_passes_as_its_own_gate_does():
    rng = np.random.default_rng(0)
    for row in rng.normal(0.035, 0.02, (200, 20)):
        alone = result(row)
        passing = holm({"sage": alone}).passing == ("sage",)
        # Beyond a FAIL the plain gate stops and Holm's test, which only asks for PASS, does not.
        if alone.verdict is not Verdict.FAIL:
            assert passing == (alone.verdict is Verdict.PASS)


def test_the_clearest_is_named_first_and_makes_the_next_easier():
    clear = [0.10, 0.11, 0.09, 0.10, 0.105]
    # Between the constants for one test and for two: passes only as the last one left.
    spread = np.array([-1.0, 1.0, -0.5, 0.5, 0.0])
    se = spread.std(ddof=1) / np.sqrt(5)
    between = (0.02 + (3.9 * se + spread) * 0.01).tolist()
    assert C_PASS[5] < 3.9 < C_PASS_OF[2][5]
    said = holm({"gcn": result(between), "sage": result(clear)})
    assert said.passing == ("sage", "gcn")
    assert holm({"gcn": result(between), "gat": result([0.0] * 5)}).passing == ()
    assert said.sentence == "passes on at least 2 of 2: sage, gcn (Holm, 5 % in all)"
    assert json.loads(json.dumps(said.to_json()))["passing"] == ["sage", "gcn"]


def test_of_many_worthless_cells_one_is_named_in_at_most_five_percent():
    rng = np.random.default_rng(1)
    gates, tests = 400, 6
    wrong = uncorrected = 0
    for _ in range(gates):
        results = {str(k): result(d) for k, d in enumerate(rng.normal(0.02, 0.02, (tests, 20)))}
        wrong += bool(holm(results).passing)
        uncorrected += any(one.verdict is Verdict.PASS for one in results.values())
    assert wrong / gates <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / gates)
    assert uncorrected / gates > 0.15


def test_identical_predictions_under_a_neutral_claim_pass_among_any_number():
    seen = Evidence((0, 1, 2), (0.0,) * 3, identical=(True,) * 3)
    still = judge_f1(seen, -0.01, neutral=True)
    others = {str(k): result([0.0] * 5) for k in range(8)}
    assert holm({**others, "sage": still}).passing == ("sage",)


def test_nothing_passes_before_the_fifth_pair():
    assert holm({"sage": result([0.5] * 4)}).passing == ()
    assert holm({"sage": result([0.5] * 4)}).sentence.startswith("passes on at least 0 of 1 (")


def test_beyond_the_table_constants_go_on_growing():
    for n in range(5, 21):
        assert constant(n, 21) > constant(n, 20) - 1e-9
        assert constant(n, 40) > constant(n, 21)
        assert constant(n, 1) == C_PASS[n]
        spent = (5 if n == 5 else 1) / 20
        assert constant(n, 40) == pytest.approx(stats.t.isf(0.05 * spent / 40, n - 1), rel=1e-9)


@pytest.mark.parametrize(("n", "tests"), [(4, 1), (21, 1), (5, 0)])
def test_there_is_no_constant_outside_the_plan(n: int, tests: int):
    with pytest.raises(UsageError, match="no look"):
        constant(n, tests)


def test_nothing_to_judge_is_refused():
    with pytest.raises(UsageError, match="no result"):
        holm({})
