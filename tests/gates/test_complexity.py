"""The complexity gate: within budget, or a gain that pays for going beyond it."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.gates.cell import Cell, CellKey
from harness.gates.complexity import Budget, Measures, judge_complexity
from harness.gates.f1_gate import Evidence, judge_f1
from harness.gates.policy import GAIN, Policy, rules_for
from harness.gates.sequential import decide
from harness.gates.words import Verdict

SMALL = Measures(lines=80, cognitive=20, hooks=("scheduler",))
LARGE = Measures(lines=400, cognitive=20, hooks=("scheduler",))
NOISE = (0.004, -0.004, 0.002, -0.002, 0.003, -0.003, 0.001, -0.001, 0.002, -0.002)
KEY = CellKey("gcn", "toy", "cpu")


def f1(
    gain: float, pairs: int = 10, margin: float = GAIN, *, spread: float = 1.0, budget: int = 10
):
    d = tuple(gain + spread * noise for noise in NOISE[:pairs])
    return judge_f1(Evidence(tuple(range(pairs)), d), margin, budget=budget)


def judged(measures: Measures, result, **more):
    return judge_complexity(measures, more.pop("budget", Budget()), result, GAIN, **more)


@given(
    gain=st.floats(-0.2, 0.2), lines=st.integers(1, 150), cognitive=st.integers(0, 30),
    pairs=st.integers(0, 10),
)  # fmt: skip
def test_within_budget_passes_whatever_the_gain(gain, lines, cognitive, pairs):
    result = judged(Measures(lines, cognitive, ()), f1(gain, pairs))
    assert (result.verdict, result.over, result.open) == (Verdict.PASS, (), False)


@pytest.mark.parametrize(
    ("measures", "named"),
    [
        (Measures(151, 0, ()), "logical lines"),
        (Measures(1, 31, ()), "cognitive complexity"),
        (Measures(1, 0, tuple("abcdefghi")), "hooks"),
        (Measures(1, 0, (), ("left-pad",)), "new dependencies"),
    ],
)
def test_each_limit_counts_by_itself_and_is_named(measures, named):
    result = judged(measures, f1(0.03))
    assert result.over == (named,)
    assert result.verdict is Verdict.FAIL
    assert f"over budget in {named}" in result.sentence


def test_a_large_gain_pays_for_a_large_feature():
    assert judged(LARGE, f1(0.08)).verdict is Verdict.PASS
    assert judged(LARGE, f1(0.03)).verdict is Verdict.FAIL


@given(gain=st.floats(-0.05, 0.15), spread=st.floats(0.1, 10), factor=st.floats(1, 3))
def test_over_budget_is_the_f1_question_at_a_multiple_of_the_margin(gain, spread, factor):
    result = judged(LARGE, f1(gain, spread=spread), budget=Budget(factor=factor))
    asked = decide([gain + spread * noise for noise in NOISE], factor * GAIN, budget=10)
    passes = asked.lower is not None and asked.n >= 5 and asked.lower > factor * GAIN
    assert result.verdict is (Verdict.PASS if passes else Verdict.FAIL)


def test_pairs_that_are_still_to_come_keep_it_open_and_the_last_one_does_not():
    early = judged(LARGE, f1(0.045, 6, spread=3), pairs=10)
    assert (early.verdict, early.open) == (Verdict.INCONCLUSIVE, True)
    late = judged(LARGE, f1(0.041, 10, spread=3), pairs=10)
    assert (late.verdict, late.open) == (Verdict.FAIL, False)
    assert late.raised.verdict is Verdict.INCONCLUSIVE


@given(gain=st.floats(-0.1, 0), pairs=st.integers(3, 10), spread=st.floats(0.1, 1))
def test_a_gain_that_fails_f1_never_justifies_anything(gain, pairs, spread):
    own = f1(gain, pairs, spread=spread)
    assert own.verdict is Verdict.FAIL
    assert judged(LARGE, own).verdict is Verdict.FAIL


@pytest.mark.parametrize("margin", [0.0, -0.01])
def test_a_margin_that_asks_for_no_gain_makes_no_complexity_cheaper(margin):
    result = judged(LARGE, f1(0.05, margin=margin))
    assert result.raised.decision.margin == pytest.approx(2 * GAIN)


def test_an_overridden_margin_is_multiplied():
    assert judged(LARGE, f1(0.05, margin=0.01)).raised.decision.margin == pytest.approx(0.02)


def test_joined_features_have_a_budget_each():
    two = Measures(lines=290, cognitive=55, hooks=("a", "b"), features=2)
    assert judged(two, f1(0.0)).over == ()
    assert judged(Measures(290, 55, ("a", "b")), f1(0.0)).over == (
        "logical lines", "cognitive complexity",
    )  # fmt: skip


@given(gain=st.floats(-0.1, 0.1), lines=st.integers(1, 1000))
def test_points_per_100_lines_are_the_gain_and_its_interval_divided(gain, lines):
    own = f1(gain)
    mean, lower, upper = judged(Measures(lines, 0, ()), own).per_100_lines
    for shown, value in ((mean, own.decision.mean), (lower, own.decision.lower),
                         (upper, own.decision.upper)):  # fmt: skip
        if value is None:
            assert shown is None
        else:
            assert shown * lines / 100 == pytest.approx(100 * value)


def test_the_sentence_has_the_measures_the_limits_and_the_gain():
    assert judged(SMALL, f1(0.08, spread=0)).sentence == (
        "PASS: logical lines 80 of 150, cognitive complexity 20 of 30, hooks 1 of 8, "
        "new dependencies 0 of 0; +10.0 points of F1 per 100 lines, from +10.0 to +10.0"
    )
    wanted = "which takes a gain of more than +4 points of F1"
    assert wanted in judged(LARGE, f1(0.03)).sentence
    added = Measures(10, 1, (), ("left-pad",))
    assert "new dependencies 1 of 0 (left-pad)" in judged(added, f1(0.03)).sentence
    assert "per 100 lines" not in judged(SMALL, f1(0.03, 1)).sentence


@pytest.mark.parametrize("measures", [SMALL, LARGE])
@pytest.mark.parametrize("pairs", [0, 2, 3, 10])
def test_the_answer_becomes_json(measures, pairs):
    shown = json.loads(json.dumps(judged(measures, f1(0.03, pairs)).to_json(), allow_nan=False))
    assert {"verdict", "n", "mean", "se", "lower", "upper", "lean", "more"} <= set(shown)
    assert shown["budget"]["lines"] == 150
    assert shown["lines"] == measures.lines


def test_a_reported_answer_changes_no_verdict_and_is_shown():
    rules = rules_for("insight", Policy.CLAIMS)
    size = judged(LARGE, f1(0.0), judged=False)
    assert size.verdict is Verdict.FAIL
    cell = Cell(KEY, {"complexity": size}, required=rules.gates, reported=rules.reported)
    assert cell.verdict is Verdict.NOT_MEASURED
    shown = cell.to_json()["gates"]["complexity"]
    assert (shown["verdict"], shown["judged"]) == ("FAIL", False)
    assert "reported, not judged" in size.sentence
    assert not size.sentence.startswith("FAIL")


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({"lines": -1}, "lines"),
        ({"cognitive": 1.5}, "cognitive"),
        ({"factor": 0.5}, "factor"),
        ({"factor": math.inf}, "factor"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(limits, named):
    with pytest.raises(UsageError) as caught:
        Budget(**limits)
    assert caught.value.where == named


def test_measures_that_make_no_sense_are_refused():
    with pytest.raises(UsageError):
        Measures(0, 0, ())
    with pytest.raises(UsageError):
        Measures(1, 0, (), features=0)
    with pytest.raises(UsageError, match="positive margin"):
        judge_complexity(SMALL, Budget(), f1(0.0), 0.0)
