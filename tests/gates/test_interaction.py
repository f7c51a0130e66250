"""Interactions against brute force, the bootstrap, and the standard error of ordinary pairs."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.errors import UsageError
from harness.gates.estimate import estimate
from harness.gates.f1 import Pair, Predictions, contributions, influence
from harness.gates.f1_gate import evidence
from harness.gates.interaction import Four, interaction_contributions, measure_interaction
from harness.gates.sequential import decide
from harness.gates.words import Verdict
from harness.metrics import f1_score

NAMES = ("amp", "swa")
ARMS = ("neither", "first", "second", "both")


def draw_four(rng: np.random.Generator, seed: int, *, size: int = 300, right: Any = (0.7,) * 4):
    """Four runs on one gate of a pool in which each arm gets the same samples wrong every time."""
    index = np.sort(rng.choice(3 * size, size, replace=False))
    label = (index % 10 < 3).astype(np.int64)
    hard = np.random.default_rng(99).random((4, 3 * size))[:, index]
    noisy = np.where(rng.random((4, size)) < 0.2, rng.random((4, size)), hard)
    runs = [
        Predictions(index, label, np.where(row < share, label, 1 - label), index // 3)
        for row, share in zip(noisy, right, strict=True)
    ]
    return Four(seed, *runs)


def draw_fours(seed: int, count: int = 6, **more: Any):
    rng = np.random.default_rng(seed)
    return [draw_four(rng, k, **more) for k in range(count)]


def swapped(four: Four, **arms: str):
    return Four(four.seed, *(getattr(four, arms.get(name, name)) for name in ARMS))


@given(st.integers(0, 10_000))
def test_it_is_both_less_each_alone(seed: int):
    fours = draw_fours(seed, size=60)
    found = measure_interaction(fours, NAMES)
    for k, four in enumerate(fours):
        f1 = {name: f1_score(getattr(four, name).label, getattr(four, name).predicted)
              for name in ARMS}  # fmt: skip
        brute = f1["both"] - f1["first"] - f1["second"] + f1["neither"]
        assert found.values[k] == pytest.approx(brute, abs=1e-12)
        parts = found.both[k] - found.first[k] - found.second[k]
        assert found.values[k] == pytest.approx(parts, abs=1e-12)


@given(st.integers(0, 10_000))
def test_contributions_are_those_of_the_four_arms_summed_over_groups(seed: int):
    fours = draw_fours(seed, 3, size=40)
    table = interaction_contributions(fours)
    for k, four in enumerate(fours):
        total = sum(
            sign * influence(getattr(four, name).label, getattr(four, name).predicted) / 40
            for sign, name in zip((1, -1, -1, 1), ARMS, strict=True)
        )
        for column, group in enumerate(table.groups):
            wanted = total[four.neither.group == group].sum()
            assert table.values[k, column] == pytest.approx(wanted, abs=1e-14)


def test_contributions_predict_the_bootstrap_variance_over_groups():
    four = draw_four(np.random.default_rng(1), 0, size=900, right=(0.75, 0.8, 0.7, 0.85))
    predicted = (interaction_contributions([four]).values ** 2).sum()
    groups = np.unique(four.neither.group)
    members = [np.flatnonzero(four.neither.group == group) for group in groups]
    rng = np.random.default_rng(2)
    drawn = []
    for _ in range(1500):
        rows = np.concatenate([members[g] for g in rng.integers(0, len(groups), len(groups))])
        f1 = [f1_score(getattr(four, name).label[rows], getattr(four, name).predicted[rows])
              for name in ARMS]  # fmt: skip
        drawn.append(f1[3] - f1[2] - f1[1] + f1[0])
    assert predicted == pytest.approx(np.var(drawn), rel=0.15)


@pytest.mark.parametrize("silent", ["first", "second"])
def test_beside_a_feature_that_does_nothing_alone_it_is_the_difference_of_an_ordinary_pair(silent):
    """Then i = F1_both - F1_other, and mean, SE and floor must be those of that pair."""
    other = {"first": "second", "second": "first"}[silent]
    fours = [swapped(four, **{silent: "neither"}) for four in draw_fours(3)]
    pairs = [Pair(four.seed, getattr(four, other), four.both) for four in fours]
    seen = evidence(pairs)
    wanted = estimate(seen.differences, contributions(pairs).values, floor=seen.floor)
    found = measure_interaction(fours, NAMES).estimate
    for name in ("n", "mean", "sd", "v_cov", "se"):
        assert getattr(found, name) == pytest.approx(getattr(wanted, name), abs=1e-12)
    assert found.v_cov > 0, "the seeds share gate samples"


@given(st.integers(0, 10_000))
def test_the_order_of_the_two_features_changes_nothing_but_names(seed: int):
    fours = draw_fours(seed, size=60)
    found = measure_interaction(fours, NAMES)
    turned = measure_interaction([swapped(one, first="second", second="first") for one in fours],
                                 NAMES[::-1])  # fmt: skip
    assert turned.values == pytest.approx(found.values, abs=1e-12)
    assert turned.estimate.se == pytest.approx(found.estimate.se, abs=1e-12)
    assert turned.first == found.second


@given(st.integers(0, 10_000))
def test_seen_from_the_arm_with_one_feature_its_sign_turns(seed: int):
    """Taking the first out of a pair is adding its absence."""
    fours = draw_fours(seed, size=60)
    turned = [
        swapped(four, neither="first", first="neither", second="both", both="second")
        for four in fours
    ]
    found, other = (measure_interaction(some, NAMES) for some in (fours, turned))
    assert other.values == pytest.approx([-one for one in found.values], abs=1e-12)
    assert other.estimate.se == pytest.approx(found.estimate.se, abs=1e-12)


def test_two_features_that_do_nothing_have_none_and_the_floor_keeps_a_width():
    fours = [
        swapped(four, first="neither", second="neither", both="neither") for four in draw_fours(5)
    ]
    found = measure_interaction(fours, NAMES)
    assert set(found.values) == {0.0}
    lower, upper = found.bounds
    floor = 0.5 / min(four.neither.positives for four in fours)
    assert upper == pytest.approx(stats.t.ppf(0.975, 5) * floor / math.sqrt(6))
    assert lower == -upper
    assert "no sign that they need or hinder each other" in found.sentence


@pytest.mark.parametrize(
    ("right", "said"),
    [
        ((0.7, 0.7, 0.7, 0.95), " points more than apart, interaction +"),
        ((0.7, 0.95, 0.95, 0.7), " points less than apart, interaction -"),
        ((0.7, 0.7, 0.7, 0.7), "no sign that they need or hinder each other"),
    ],
)
def test_the_sentence_says_which_it_is(right, said):
    found = measure_interaction(draw_fours(7, right=right), NAMES, dropped=[8, 9])
    assert said in found.sentence
    assert found.sentence.startswith("on 6 seeds amp alone gives ")
    assert found.sentence.endswith("left out, since a run collapsed: seeds 8, 9")
    lower, upper = found.bounds
    assert ("no sign" in said) == (lower <= 0 <= upper)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_below_three_seeds_there_is_no_interval(count):
    found = measure_interaction(draw_fours(9, count), NAMES)
    assert found.estimate is found.bounds is None
    assert ("an interval needs 3 seeds" if count else "is not known") in found.sentence
    shown = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert shown["n"] == count
    assert (shown["mean"] is None) == (count == 0)
    assert shown["lower"] is None


def test_the_published_figures_are_those_of_the_estimate():
    found = measure_interaction(draw_fours(11), NAMES)
    shown = found.to_json()
    assert shown["mean"] == pytest.approx(found.estimate.mean)
    assert shown["mean"] == pytest.approx(shown["both"] - shown["first"] - shown["second"])
    half = (shown["upper"] - shown["lower"]) / 2
    assert half / shown["se"] == pytest.approx(stats.t.ppf(0.975, 5))


def test_arms_that_were_asked_different_things_have_no_interaction():
    one, two = draw_fours(13, 2)
    with pytest.raises(UsageError, match="of baseline and candidate differ"):
        Four(0, one.neither, one.first, two.second, one.both)
    with pytest.raises(UsageError, match="a seed is used twice"):
        measure_interaction([one, one], NAMES)


def test_on_a_fixed_gate_the_claimed_error_is_the_true_one():
    """Seeds that share all gate samples: an error over seeds alone would be far too small."""
    rng = np.random.default_rng(0)
    means, two_way, seed_only = [], [], []
    size, seeds = 500, 8
    index = np.arange(size)
    for _ in range(250):
        label = (rng.random(size) < 0.25).astype(np.int64)
        # As in a pool: what is hard for all, what is hard for one arm, and each run's own noise.
        hard = rng.normal(0, 0.7, size) + rng.normal(0, 0.5, (4, size)) + 1.9 * label
        scores = hard + rng.normal(0, 0.45, (seeds, 4, size))
        fours = [
            Four(k, *(Predictions(index, label, (row > 1.0).astype(np.int64), index)
                      for row in scores[k]))
            for k in range(seeds)
        ]  # fmt: skip
        found = measure_interaction(fours, NAMES).estimate
        means.append(found.mean)
        two_way.append(found.se**2)
        seed_only.append(found.sd**2 / found.n)
    actual = np.std(means, ddof=1)
    assert 0.8 <= math.sqrt(np.mean(two_way)) / actual <= 1.15
    assert math.sqrt(np.mean(seed_only)) / actual < 0.7


@pytest.mark.parametrize(
    ("gains", "sd"),
    [
        ((0.0, 0.0, 0.0), 0.02),
        ((0.0, 0.0, -0.03), 0.02),
        ((0.01, 0.01, 0.0), 0.02),
        ((0.02, 0.02, 0.0), 0.01),
    ],
)
def test_where_the_pairs_own_gate_stops_the_interval_still_holds_the_truth(gains, sd):
    """The F1 gate of both decides how many seeds there are; t intervals are not corrected for it.

    Their coverage is measured here: 95 % within what 2,000 gates tell.
    """
    rng = np.random.default_rng(4)
    first, second, truth = gains
    held = 0
    for _ in range(2000):
        neither, one, two, both = (
            mean + rng.normal(0, sd / math.sqrt(2), 10)
            for mean in (0, first, second, first + second + truth)
        )
        decision = decide(both - neither, 0.02)
        n = decision.n if decision.verdict is Verdict.FAIL else 10
        seen = estimate((both - one - two + neither)[:n])
        held += abs(seen.mean - truth) <= stats.t.ppf(0.975, n - 1) * seen.se
    assert held / 2000 == pytest.approx(0.95, abs=0.015)
