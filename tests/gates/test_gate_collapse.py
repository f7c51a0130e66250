"""The collapse gate: three rules, one strike, ten clean runs, and a baseline that collapses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.errors import UsageError
from harness.gates.collapse import (
    NOT_FINITE,
    ONE_CLASS,
    PARTIAL,
    Outcome,
    judge_collapse,
    partial_collapses,
    probability_bound,
)
from harness.gates.words import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection


def arm(count: int, collapsed: Collection[int] = (), f1: float = 0.6):
    return [
        Outcome(seed, ONE_CLASS, 0.0) if seed in collapsed else Outcome(seed, f1=f1)
        for seed in range(count)
    ]


def test_the_first_collapse_fails_the_cell_after_one_run():
    said = judge_collapse(arm(1, {0}), arm(1))
    assert (said.verdict, len(said.candidate), said.open) == (Verdict.FAIL, 1, False)
    assert said.sentence == (
        "FAIL after 1 run: the candidate collapsed at seed 0 (one class), "
        "the baseline beside it: clean"
    )


def test_runs_after_the_first_collapse_are_not_read():
    early, late = judge_collapse(arm(3, {2}), arm(12)), judge_collapse(arm(12, {2, 5}), arm(12))
    assert early.candidate == late.candidate
    assert late.to_json()["n"] == 3
    assert late.usable == (0, 1)


@pytest.mark.parametrize("runs", [0, 1, 7, 9])
def test_fewer_than_ten_clean_runs_never_pass(runs: int):
    said = judge_collapse(arm(runs), arm(12))
    assert (said.verdict, said.open) == (Verdict.INCONCLUSIVE, True)
    assert f"{runs} of 10 clean runs" in said.sentence
    assert said.to_json()["more"] == 10 - runs


def test_ten_clean_runs_pass_with_the_bound_said():
    said = judge_collapse(arm(10), arm(10))
    assert said.verdict is Verdict.PASS
    assert said.sentence == (
        "PASS: 0 of 10: collapse probability below 25.9 % with 95 % confidence"
    )


@pytest.mark.parametrize(("runs", "percent"), [(10, "25.9 %"), (20, "13.9 %"), (59, "5.0 %")])
def test_the_bound_of_no_collapse(runs: int, percent: str):
    assert probability_bound(0, runs) == pytest.approx(1 - 0.05 ** (1 / runs))
    said = judge_collapse(arm(runs), arm(runs)).bound_sentence
    assert said == f"0 of {runs}: collapse probability below {percent} with 95 % confidence"


@given(st.integers(1, 40), st.data())
def test_the_bound_is_where_so_few_collapses_have_probability_five_percent(
    runs: int, data: st.DataObject
):
    collapses = data.draw(st.integers(0, runs))
    bound = probability_bound(collapses, runs)
    if collapses == runs:
        assert bound == 1
    else:
        assert stats.binom.cdf(collapses, runs, bound) == pytest.approx(0.05)


def test_a_run_below_half_the_baselines_median_is_a_partial_collapse():
    candidate = [*arm(4), Outcome(4, f1=0.29)]
    said = judge_collapse(candidate, arm(5))
    assert said.verdict is Verdict.FAIL
    assert said.collapsed == (Outcome(4, PARTIAL, 0.29),)
    assert judge_collapse([*arm(4), Outcome(4, f1=0.3)], arm(5)).verdict is Verdict.INCONCLUSIVE


def test_collapsed_baseline_runs_do_not_lower_the_median():
    baseline = [*arm(3), *(Outcome(seed, ONE_CLASS, 0.0) for seed in range(3, 8))]
    (marked,) = partial_collapses([Outcome(9, f1=0.25)], baseline)
    assert marked.collapsed == PARTIAL


def test_without_a_baseline_nothing_is_a_partial_collapse():
    runs = [Outcome(0, f1=0.01)]
    assert partial_collapses(runs, []) == runs
    assert judge_collapse(runs, []).verdict is Verdict.INCONCLUSIVE
    assert judge_collapse(runs, []).usable == ()


def test_the_rule_that_training_saw_stays():
    run = Outcome(0, NOT_FINITE, 0.1)
    assert partial_collapses([run], arm(3)) == [run]


def test_a_pair_whose_baseline_collapsed_is_left_out_replaced_and_listed():
    said = judge_collapse(arm(11), arm(11, {3}))
    assert said.verdict is Verdict.PASS
    assert said.usable == (0, 1, 2, 4, 5, 6, 7, 8, 9, 10)
    assert said.dropped == (3,)
    assert "left out, baseline collapsed: 3" in said.sentence
    assert said.discordant == ((), (3,))
    assert said.to_json()["baseline_collapsed"] == {"3": "one class"}


def test_a_partial_collapse_of_the_baseline_is_left_out_too():
    baseline = arm(10)
    baseline[4] = Outcome(4, f1=0.1)
    said = judge_collapse(arm(10), baseline)
    assert said.dropped == (4,)


@pytest.mark.parametrize("where", [{0, 1}, {0, 9}, {3, 7}, {1, 4, 8}])
def test_two_baseline_collapses_in_the_first_ten_are_an_invalid_baseline(where: set[int]):
    said = judge_collapse(arm(12), arm(12, where))
    assert (said.verdict, said.invalid_baseline, said.open) == (Verdict.INCONCLUSIVE, True, False)
    assert "INVALID BASELINE" in said.sentence
    assert said.to_json()["more"] is None


def test_one_in_the_first_ten_and_one_later_leave_the_baseline_valid():
    said = judge_collapse(arm(12), arm(12, {0, 10}))
    assert (said.verdict, said.invalid_baseline) == (Verdict.PASS, False)
    assert said.dropped == (0, 10)


@pytest.mark.parametrize(
    ("candidate", "verdict"),
    [({1}, Verdict.FAIL), ({4}, Verdict.FAIL), ({6}, Verdict.INCONCLUSIVE), ({8}, "INCONCLUSIVE")],
)
def test_what_comes_first_decides(candidate: set[int], verdict: Verdict | str):
    said = judge_collapse(arm(12, candidate), arm(12, {2, 6}))
    assert said.verdict == verdict
    assert said.invalid_baseline is (verdict != Verdict.FAIL)


def test_a_collapse_of_both_arms_at_one_seed_still_fails():
    said = judge_collapse(arm(3, {2}), arm(3, {2}))
    assert said.verdict is Verdict.FAIL
    assert "the baseline beside it: one class" in said.sentence
    assert said.discordant == ((), ())


@given(st.sets(st.integers(0, 11)), st.sets(st.integers(0, 11)), st.integers(0, 12))
def test_usable_pairs_are_clean_on_both_sides_and_in_order(
    candidate: set[int], baseline: set[int], runs: int
):
    said = judge_collapse(arm(12, candidate)[:runs], arm(12, baseline))
    assert list(said.usable) == sorted(said.usable)
    assert not set(said.usable) & (candidate | baseline)
    assert set(said.dropped) <= baseline
    if said.verdict is Verdict.PASS:
        assert said.clean >= 10
        assert not candidate & set(range(runs))
    json.dumps(said.to_json(), allow_nan=False)


@pytest.mark.parametrize("name", ["candidate", "baseline"])
def test_a_seed_used_twice_is_refused(name: str):
    runs = {"candidate": arm(3), "baseline": arm(3)}
    runs[name].append(Outcome(1, f1=0.5))
    with pytest.raises(UsageError, match="used twice") as caught:
        judge_collapse(**runs)
    assert caught.value.where == name
