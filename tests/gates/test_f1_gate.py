"""The F1 gate: superiority, non-inferiority, identical predictions, and what it reports."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.errors import UsageError
from harness.gates.f1 import Pair, Predictions
from harness.gates.f1_gate import Evidence, evidence, judge_f1
from harness.gates.sequential import decide
from harness.gates.tables import C_FAIL
from harness.gates.words import Verdict


def pairs_of(
    count: int,
    *,
    positives: int,
    gain: float = 0.0,
    seed: int = 0,
    samples: int | None = None,
    twin: bool = False,
):
    """Pairs whose candidate finds ``gain`` more of the vulnerable samples."""
    rng = np.random.default_rng(seed)
    samples = samples or 4 * positives
    label = np.zeros(samples, dtype=np.int64)
    label[:positives] = 1
    index = np.arange(samples)
    found = []
    for k in range(count):
        runs = []
        for recall in (0.6, 0.6 + gain):
            guess = (rng.random(samples) < np.where(label, recall, 0.1)).astype(np.int64)
            runs.append(Predictions(index + samples * k, label, guess, index + samples * k))
        found.append(Pair(k, runs[0], runs[0] if twin else runs[1]))
    return found


def test_a_planted_gain_passes_and_none_fails():
    gain = judge_f1(evidence(pairs_of(10, positives=400, gain=0.3)), 0.02)
    assert gain.verdict is Verdict.PASS
    none = judge_f1(evidence(pairs_of(10, positives=400, gain=-0.2)), 0.02)
    assert none.verdict is Verdict.FAIL


def test_the_gate_is_the_sequential_test_on_differences_contributions_and_floor():
    seen = evidence(pairs_of(8, positives=100, gain=0.05))
    said = judge_f1(seen, 0.02, budget=20).decision
    floor = 0.5 / 100
    assert said == decide(seen.differences, 0.02, seen.contributions.values, 20, floor=floor)


def test_the_floor_does_not_move_when_later_pairs_arrive():
    first = pairs_of(3, positives=50)
    later = pairs_of(5, positives=20, samples=200)[3:]
    assert evidence([*first, *later]).floor == evidence(first).floor == 0.5 / 50


@given(st.integers(5, 400), st.sampled_from([10, 20]))
def test_an_identical_arm_never_passes_a_superiority_margin(positives: int, budget: int):
    n = budget
    seen = Evidence(
        seeds=tuple(range(n)),
        differences=(0.0,) * n,
        floor=0.5 / positives,
        identical=(True,) * n,
        positives=(positives,) * n,
    )
    said = judge_f1(seen, 0.02, budget=budget)
    # It fails at the first look whose upper bound, all of it the floor's, lies below the margin.
    fails = [k for k in range(3, n + 1) if C_FAIL[k] * seen.floor / np.sqrt(k) < 0.02]
    assert said.verdict is (Verdict.FAIL if fails else Verdict.INCONCLUSIVE)
    assert said.decision.n == (fails[0] if fails else n)
    assert said.identical
    assert "cannot be a gain" in said.sentence


@pytest.mark.parametrize(("positives", "fails_at"), [(82, 3), (81, 4), (20, 10), (19, None)])
def test_the_documented_sizes_at_which_an_identical_arm_fails(positives: int, fails_at: int | None):
    said = judge_f1(evidence(pairs_of(10, positives=positives, twin=True)), 0.02)
    assert said.verdict is (Verdict.FAIL if fails_at else Verdict.INCONCLUSIVE)
    assert said.decision.n == (fails_at or 10)


def test_an_identical_arm_passes_a_neutral_claim_after_three_pairs():
    pairs = pairs_of(10, positives=30, twin=True)
    two = judge_f1(evidence(pairs[:2]), -0.01, neutral=True)
    assert (two.verdict, two.open) == (Verdict.INCONCLUSIVE, True)
    for n in (3, 10):
        said = judge_f1(evidence(pairs[:n]), -0.01, neutral=True)
        assert (said.verdict, said.decision.n, said.open) == (Verdict.PASS, 3, False)
        assert "IDENTICAL" in said.sentence
        shown = said.to_json()
        assert (shown["verdict"], shown["n"], shown["more"], shown["lean"]) == ("PASS", 3, 0, None)


def test_one_different_prediction_is_not_identical():
    pairs = pairs_of(3, positives=30, twin=True)
    other = pairs[1].candidate
    guess = other.predicted.copy()
    guess[-1] = 1 - guess[-1]
    pairs[1] = Pair(1, other, Predictions(other.index, other.label, guess, other.group))
    said = judge_f1(evidence(pairs), -0.01, neutral=True)
    assert not said.identical
    assert said.verdict is Verdict.INCONCLUSIVE


def test_neutral_asks_for_no_worse_and_quality_for_better():
    d = (0.001, -0.002, 0.0, 0.001, -0.001, 0.002)
    seen = Evidence(tuple(range(6)), d)
    assert judge_f1(seen, -0.01, neutral=True).verdict is Verdict.PASS
    assert judge_f1(seen, 0.02).verdict is Verdict.FAIL


def test_the_report_has_every_figure_and_is_json():
    pairs = pairs_of(6, positives=100, gain=0.02)
    seen = evidence(pairs)
    said = judge_f1(seen, 0.02, budget=6)
    shown = json.loads(json.dumps(said.to_json(), allow_nan=False))
    n = shown["n"]
    assert shown["correlation"] == pytest.approx(
        stats.pearsonr(seen.baseline[:n], seen.candidate[:n]).statistic
    )
    assert shown["skew"] == pytest.approx(stats.skew(seen.differences[:n], bias=False))
    assert shown["least"] == min(seen.differences[:n])
    assert shown["positives"] == 100
    assert shown["seeds"] == list(range(n))
    assert shown["differences"] == [pair.difference for pair in pairs[:n]]
    assert shown["claim"] == "superiority"
    assert {"mean", "se", "lower", "upper", "sd", "v_cov", "more", "lean"} <= set(shown)


def test_figures_without_meaning_are_left_out():
    shown = judge_f1(evidence(pairs_of(3, positives=100, twin=True)), 0.02).to_json()
    assert shown["skew"] is None
    empty = judge_f1(evidence([]), 0.02)
    assert "no pair to judge yet" in empty.sentence
    shown = json.loads(json.dumps(empty.to_json(), allow_nan=False))
    assert shown["verdict"] == "INCONCLUSIVE"
    assert (shown["correlation"], shown["least"], shown["positives"]) == (None, None, None)


def test_a_small_gate_is_warned_of():
    (small,) = judge_f1(evidence(pairs_of(3, positives=100)), 0.02).warnings
    assert "100 vulnerable graphs, fewer than 300" in small
    assert "3.5 points" in small
    assert judge_f1(evidence(pairs_of(3, positives=300)), 0.02).warnings == ()


def test_an_error_over_seeds_alone_is_warned_of():
    (alone,) = judge_f1(Evidence((0, 1, 2), (0.1, 0.2, 0.3)), 0.02).warnings
    assert "over seeds alone" in alone


@pytest.mark.parametrize(
    ("d", "margin", "neutral", "sentence"),
    [
        (
            (0.05,) * 5,
            0.02,
            False,
            "PASS after 5 pairs: F1 +5.0 points, at least +5.0 points; more than +2 points wanted",
        ),
        (
            (-0.05,) * 3,
            -0.01,
            True,
            "FAIL after 3 pairs: F1 -5.0 points, at most -5.0 points; at most 1 points less wanted",
        ),
        (
            (0.03, 0.05, 0.07),
            0.02,
            False,
            (
                "INCONCLUSIVE after 3 pairs: F1 +5.0 points, from an unknown bound to +11.5 points"
                "; more than +2 points wanted (OPEN); about 4 more pairs would decide it with 80 % "
                "probability"
            ),
        ),
    ],
)
def test_sentences_give_points_of_f1(
    d: list[float], margin: float, *, neutral: bool, sentence: str
):
    seen = Evidence(tuple(range(len(d))), d)
    assert judge_f1(seen, margin, neutral=neutral).sentence == sentence


@given(d=st.lists(st.integers(-80, 80).map(lambda k: k / 1024), max_size=12))
def test_a_path_ends_in_the_decision_and_looks_at_each_pair_once(d: list[float]):
    result = judge_f1(Evidence(tuple(range(len(d))), tuple(d)), 0.02)
    assert [look.n for look in result.path] == list(range(1, result.decision.n + 1))
    assert result.path[-1:] == ([result.decision] if d else [])
    assert all(look.open for look in result.path[:-1])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (((1, 1), (0.1, 0.2)), "evidence.seeds"),
        (((1, 2), (0.1,)), "evidence.differences"),
        (((1, 2), (0.1, 0.2), None, 0.0, (True,)), "evidence.identical"),
    ],
)
def test_evidence_that_does_not_fit_together_is_refused(arguments: Any, named: str):
    with pytest.raises(UsageError) as caught:
        Evidence(*arguments)
    assert caught.value.where == named
