"""The sequential test against an independent reading of its rules, and its invariances."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from harness.errors import UsageError
from harness.gates.estimate import shared_variances
from harness.gates.inputs import GateInputError
from harness.gates.sequential import Decision, decide, distances
from harness.gates.tables import C_FAIL, C_PASS
from harness.gates.words import Lean, Verdict

# Differences on a grid: rounding cannot turn a tie into a decision.
UNIT = 1 / 1024
grid = st.integers(-100, 100).map(lambda k: k * UNIT)
margins = st.sampled_from([20 * UNIT, 0.0, -10 * UNIT, -180 * UNIT])
series = st.lists(grid, min_size=0, max_size=24)
budgets = st.integers(3, 20)


def tables(rows: int, columns: int = 7):
    return hnp.arrays(np.float64, (rows, columns), elements=st.floats(-0.01, 0.01))


def reference(d: list[float], margin: float, c: Any, budget: int, floor: float):
    """The rules read straight from the text, in numpy, one look after the other.

    Returns verdict, n, lower, upper, and the least distance of any look to its boundary.
    """
    d = np.asarray(d, dtype=np.float64)
    tie = math.inf
    lower = upper = None
    last = min(len(d), budget)
    for n in range(3, last + 1):
        seen = d[:n]
        v_cov = 0.0
        if c is not None:
            rows = np.asarray(c)[:n]
            v_cov = max(0.0, ((rows.sum(axis=0) ** 2).sum() - (rows**2).sum()) / n**2)
        s = max(seen.std(ddof=1), floor)
        se = math.sqrt(s**2 / n + v_cov)
        lower = seen.mean() - C_PASS[n] * se if n >= 5 else None
        upper = seen.mean() + C_FAIL[n] * se
        tie = min(tie, abs(upper - margin), *([abs(lower - margin)] if lower is not None else []))
        if lower is not None and lower > margin:
            return Verdict.PASS, n, lower, upper, tie
        if upper < margin:
            return Verdict.FAIL, n, lower, upper, tie
    return Verdict.INCONCLUSIVE, last, lower, upper, tie


@given(st.data(), series, margins, budgets, st.sampled_from([0.0, 0.004, 0.02]))
def test_decides_as_the_rules_say(
    data: st.DataObject, d: list[float], margin: float, budget: int, floor: float
):
    c = data.draw(st.none() | tables(len(d)))
    verdict, n, lower, upper, tie = reference(d, margin, c, budget, floor)
    assume(tie > 1e-9)
    said = decide(d, margin, c, budget, floor=floor)
    assert (said.verdict, said.n) == (verdict, n)
    assert said.lower == (None if lower is None else pytest.approx(lower, abs=1e-12))
    assert said.upper == (None if upper is None else pytest.approx(upper, abs=1e-12))
    assert said.mean == (pytest.approx(np.mean(d[:n]), abs=1e-15) if n else None)


@given(st.data(), series, margins, budgets)
def test_what_comes_after_the_end_changes_nothing(
    data: st.DataObject, d: list[float], margin: float, budget: int
):
    said = decide(d, margin, None, budget)
    if said.open:  # most are: filtering them out would fail hypothesis's health check
        return
    extra = data.draw(st.lists(grid, max_size=6))
    assert decide([*d, *extra], margin, None, budget) == said


@given(st.data(), series, margins)
def test_looking_after_each_pair_ends_where_looking_once_does(
    data: st.DataObject, d: list[float], margin: float
):
    c = data.draw(tables(len(d)))
    whole = decide(d, margin, c)
    for n in range(len(d) + 1):
        said = decide(d[:n], margin, c[:n])
        if not said.open:
            break
    assert (said.verdict, said.n) == (whole.verdict, whole.n)
    assert said.se == (None if whole.se is None else pytest.approx(whole.se, rel=1e-12))


@given(st.data(), st.lists(grid, min_size=3, max_size=10), margins)
def test_the_order_within_a_look_leaves_its_bounds_as_they_were(
    data: st.DataObject, d: list[float], margin: float
):
    order = data.draw(st.permutations(range(len(d))))
    ours, theirs = decide(d, margin), decide([d[k] for k in order], margin)
    assume(ours.n == theirs.n == len(d))
    assert (ours.lower, ours.upper, ours.verdict) == (theirs.lower, theirs.upper, theirs.verdict)


@given(st.data(), st.lists(grid, min_size=3, max_size=3), margins)
def test_the_order_leaves_bounds_as_they_were_with_contributions(
    data: st.DataObject, d: list[float], margin: float
):
    c = data.draw(tables(3))
    order = list(data.draw(st.permutations(range(3))))
    ours, theirs = decide(d, margin, c), decide([d[k] for k in order], margin, c[order])
    assert ours.upper == pytest.approx(theirs.upper, rel=1e-12)


@given(series, margins, st.integers(-512, 512).map(lambda k: k * UNIT), budgets)
def test_adding_to_differences_and_margin_leaves_the_verdict(
    d: list[float], margin: float, shift: float, budget: int
):
    ours = decide(d, margin, None, budget, floor=0.003)
    theirs = decide([one + shift for one in d], margin + shift, None, budget, floor=0.003)
    assert (ours.verdict, ours.n, ours.se) == (theirs.verdict, theirs.n, theirs.se)
    assert (ours.more, ours.more_50) == (theirs.more, theirs.more_50)


@given(st.data(), series, margins, st.integers(-20, 20))
def test_the_unit_of_measurement_leaves_the_verdict(
    data: st.DataObject, d: list[float], margin: float, power: int
):
    c = data.draw(tables(len(d)))
    unit = 2.0**power
    ours = decide(d, margin, c, floor=0.003)
    theirs = decide([one * unit for one in d], margin * unit, c * unit, floor=0.003 * unit)
    assert (ours.verdict, ours.n) == (theirs.verdict, theirs.n)


@given(st.integers(0, 24), grid)
def test_differences_equal_to_the_margin_are_never_decided(n: int, margin: float):
    said = decide([margin] * n, margin, budget=20)
    assert said.verdict is Verdict.INCONCLUSIVE
    assert said.n == min(n, 20)


def test_differences_equal_to_a_margin_without_exact_form_are_never_decided():
    for n in range(3, 21):
        assert decide([0.02] * n, 0.02, budget=20).verdict is Verdict.INCONCLUSIVE


def test_certain_differences_decide_at_the_first_look_that_may():
    assert (decide([0.03] * 10, 0.02).verdict, decide([0.03] * 10, 0.02).n) == ("PASS", 5)
    assert (decide([0.01] * 10, 0.02).verdict, decide([0.01] * 10, 0.02).n) == ("FAIL", 3)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_before_the_first_look_nothing_is_known(n: int):
    said = decide([0.05] * n, 0.02)
    assert said.verdict is Verdict.INCONCLUSIVE
    assert (said.n, said.lower, said.upper, said.more) == (n, None, None, None)
    assert "first look" in said.more_reason
    assert "nothing to judge yet" in said.sentence if n == 0 else "+0.05" in said.sentence


def test_shared_samples_widen_the_error_and_unlike_ones_do_not():
    rng = np.random.default_rng(0)
    d = rng.normal(0.05, 0.01, 5)
    alone = rng.normal(0, 1e-3, (5, 100)) * np.repeat(np.eye(5), 20, axis=1)  # disjoint gates
    same = np.tile(rng.normal(0, 1e-3, 100), (5, 1))
    assert decide(d, 0.02, alone).se == pytest.approx(decide(d, 0.02).se)
    shared = decide(d, 0.02, same)
    # Twenty ordered pairs of rows, each with the same sum of squares.
    assert shared.v_cov == pytest.approx(20 * (same[0] ** 2).sum() / 25)
    assert shared.se > decide(d, 0.02).se


def test_a_negative_covariance_does_not_narrow_the_error():
    d = [0.05, 0.06, 0.04]
    c = [[0.01, -0.01], [-0.01, 0.01], [0.0, 0.0]]
    assert decide(d, 0.02, c).v_cov == 0
    assert decide(d, 0.02, c).se == decide(d, 0.02).se


@given(st.lists(grid, min_size=3, max_size=10), st.floats(0, 0.1))
def test_the_floor_is_a_least_standard_deviation(d: list[float], floor: float):
    said = decide(d, 0.02, floor=floor)
    seen = d[: said.n]
    assert said.sd == pytest.approx(max(floor, np.std(seen, ddof=1)), abs=1e-12)


@given(series, st.sampled_from([0.02, 0.01]), budgets)
def test_leans_follow_their_rules(d: list[float], margin: float, budget: int):
    said = decide(d, margin, None, budget)
    if said.verdict is not Verdict.INCONCLUSIVE:
        assert said.lean is None
    elif said.lower is not None and said.lower > 0 and said.mean > margin:
        assert said.lean is Lean.LEAN_PASS
    elif said.upper is not None and said.mean < margin and said.upper < 2 * margin:
        assert said.lean is Lean.LEAN_FAIL
    else:
        assert said.lean is Lean.OPEN


@given(st.data(), st.lists(grid, min_size=3, max_size=19))
def test_pairs_still_needed_follow_the_formula(data: st.DataObject, d: list[float]):
    c = data.draw(st.none() | tables(len(d)))
    said = decide(d, 0.02, c, budget=20)
    if said.verdict is not Verdict.INCONCLUSIVE:
        assert (said.more, said.more_50, said.more_reason) == (0, 0, "")
        return
    gap = said.mean - 0.02
    z = stats.norm.isf(0.0125 if gap > 0 else 0.03) + stats.norm.isf(0.2)
    left = gap**2 - z**2 * said.v_cov
    if left <= 0:
        assert said.more is None
        assert "more gate samples" in said.more_reason
        return
    needed = math.ceil(z**2 * said.sd**2 / left + 2)
    if needed > 20:
        assert (said.more, said.more_reason) == (None, "beyond this plan")
    else:
        assert said.more == max(1, max(needed, 5 if gap > 0 else 3) - said.n)
        assert said.more_50 is not None
        assert said.more_50 <= said.more


def test_beyond_twenty_pairs_there_is_no_more():
    d = list(itertools.islice(itertools.cycle([0.035, 0.012]), 20))
    said = decide(d, 0.02, budget=20)
    assert (said.verdict, said.n) == (Verdict.INCONCLUSIVE, 20)
    assert (said.more, said.more_reason, said.open) == (None, "beyond this plan", False)


@given(series, margins)
def test_distances_are_what_the_looks_decide_by(d: list[float], margin: float):
    found = distances(d, margin, budget=20)
    assert list(found) == list(range(5, min(len(d), 20) + 1))
    said = decide(d, margin, budget=20)
    passing = [n for n, far in found.items() if far > C_PASS[n] and n <= said.n]
    assert (said.verdict is Verdict.PASS) == bool(passing)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (([0.1, math.nan, 0.1], 0.02), "differences[1]"),
        (([0.1, math.inf, 0.1], 0.02), "differences[1]"),
        (([[0.1, 0.1, 0.1]], 0.02), "differences"),
        ((["a"], 0.02), "differences"),
        (([0.1] * 3, math.nan), "margin"),
        (([0.1] * 3, 0.02, None, 2), "budget"),
        (([0.1] * 3, 0.02, None, 21), "budget"),
        (([0.1] * 3, 0.02, None, 4.5), "budget"),
        (([0.1] * 3, 0.02, [[0.0]] * 2), "contributions"),
        (([0.1] * 3, 0.02, [0.0] * 3), "contributions"),
        (([0.1] * 3, 0.02, [[0.0], [math.nan], [0.0]]), "contributions"),
        (([0.1] * 3, 0.02, [[0.0], [0.0, 1.0], [0.0]]), "contributions"),
    ],
)
def test_what_cannot_be_judged_is_refused_by_name(arguments: Any, named: str):
    with pytest.raises(UsageError) as caught:
        decide(*arguments)
    assert isinstance(caught.value, ValueError)
    assert caught.value.where == named


def test_a_negative_floor_is_refused():
    with pytest.raises(UsageError) as caught:
        decide([0.1] * 3, 0.02, floor=-1.0)
    assert caught.value.where == "floor"


def test_a_decision_is_frozen_and_becomes_json():
    said = decide(np.array([0.05, 0.06, 0.04, 0.05, 0.055]), 0.02)
    with pytest.raises(dataclasses.FrozenInstanceError):
        said.n = 3
    read = json.loads(json.dumps(said.to_json(), allow_nan=False))
    wanted = {"verdict", "n", "mean", "se", "lower", "upper", "lean", "more"}
    assert wanted <= set(read)
    assert {field.name for field in dataclasses.fields(Decision)} <= set(read)
    assert read["verdict"] == "PASS"
    assert read["lower"] == said.lower


@pytest.mark.parametrize(
    ("d", "sentence"),
    [
        ([0.05] * 5, "PASS after 5 pairs: mean +0.05, at least +0.05, above the margin +0.02"),
        ([0.0] * 3, "FAIL after 3 pairs: mean +0, at most +0, below the margin +0.02"),
        (
            [0.03, 0.05, 0.07],
            (
                "INCONCLUSIVE after 3 pairs: mean +0.05, bounds unknown to +0.1152, margin +0.02 "
                "(OPEN); about 4 more pairs would decide it with 80 % probability"
            ),
        ),
    ],
)
def test_sentences_say_what_was_found(d: list[float], sentence: str):
    assert decide(d, 0.02).sentence == sentence


def test_deciding_is_cheap_enough_to_do_after_every_pair():
    rng = np.random.default_rng(0)
    d, c = rng.normal(0.02, 0.02, 10), rng.normal(0, 1e-4, (10, 2000))
    taken = []
    for _ in range(20):
        start = time.perf_counter()
        decide(d, 0.02, c)
        taken.append(time.perf_counter() - start)
    assert min(taken) < 5e-3  # 0.14 ms where nothing else runs


@given(st.lists(st.floats(-0.3, 0.3), min_size=3, max_size=10), st.integers(0, 2**32 - 1))
def test_what_pairs_share_can_be_given_as_it_is_known(differences, seed):
    table = np.random.default_rng(seed).normal(0, 0.01, (len(differences), 30))
    shared = shared_variances(table, len(differences))
    assert decide(differences, 0.02, shared=shared) == decide(differences, 0.02, table)
    with pytest.raises(GateInputError, match="shared"):
        decide(differences, 0.02, shared=shared[:-1])
