"""The time gate: ratios of total training time out of A B B A blocks."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.gates.sequential import decide
from harness.gates.time import Block, Cost, Visit, judge_time, log_ratios
from harness.gates.words import Verdict

seconds = st.floats(0.01, 100)


def block(
    ratio: float,
    *,
    base: float = 1.0,
    mean_ratio: float | None = None,
    drift: float = 1.0,
    cpu: float | None = None,
):
    """A block on a machine that gets slower by ``drift`` from one visit to the next."""
    arms = (1.0, ratio, ratio, 1.0)
    means = (1.0, mean_ratio or ratio, mean_ratio or ratio, 1.0)
    return Block(
        *(
            Visit(base * arm * drift**k, base * mean * drift**k, cpu and cpu * arm)
            for k, (arm, mean) in enumerate(zip(arms, means, strict=True))
        )
    )


def test_a_ratio_below_the_limit_passes_at_the_fifth_block_and_above_fails_at_the_third():
    fast = judge_time([block(1.1)] * 20, epochs=10)
    assert (fast.verdict, fast.decision.n, fast.open) == (Verdict.PASS, 5, False)
    slow = judge_time([block(1.3)] * 20, epochs=10)
    assert (slow.verdict, slow.decision.n) == (Verdict.FAIL, 3)
    exact = judge_time([block(1.2)] * 20, epochs=10, max_ratio=1.2)
    assert exact.verdict is not Verdict.PASS


@given(st.lists(st.tuples(seconds, seconds, seconds, seconds), min_size=1, max_size=22))
def test_it_is_the_sequential_test_on_the_log_ratio_of_totals(
    times: list[tuple[float, float, float, float]],
):
    cost = Cost(3.0, 5.0)
    blocks = [Block(*(Visit(t, t) for t in four)) for four in times]
    total = np.array(times) * 7 + np.array([3.0, 5.0, 5.0, 3.0])
    logs = np.log(total)
    d = (logs[:, 1] + logs[:, 2] - logs[:, 0] - logs[:, 3]) / 2
    assert log_ratios(blocks, epochs=7, cost=cost) == pytest.approx(d, abs=1e-12)
    said = judge_time(blocks, epochs=7, cost=cost)
    wanted = decide(-d, -math.log(1.2), budget=20)
    assert said.decision.verdict is wanted.verdict
    assert said.decision.n == wanted.n
    assert said.ratio == pytest.approx(np.exp(d[: wanted.n].mean()))


@given(st.floats(0.5, 2.0), st.floats(0.9, 1.1))
def test_a_steady_drift_cancels_within_a_block(ratio: float, drift: float):
    said = judge_time([block(ratio, drift=drift)] * 5, epochs=10)
    assert said.ratio == pytest.approx(ratio)


@given(st.floats(0.5, 2.0), st.floats(0.1, 10))
def test_the_speed_of_the_machine_does_not_matter(ratio: float, base: float):
    ours = judge_time([block(ratio)] * 5, epochs=10)
    theirs = judge_time([block(ratio, base=base)] * 5, epochs=10)
    assert theirs.ratio == pytest.approx(ours.ratio)


def test_what_a_feature_costs_once_counts_against_it():
    free = judge_time([block(1.1)] * 5, epochs=10)
    paid = judge_time([block(1.1)] * 5, epochs=10, cost=Cost(candidate=2.0))
    assert (free.verdict, paid.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert paid.ratio == pytest.approx(1.3)
    assert paid.epoch_ratio == pytest.approx(1.1)
    longer = judge_time([block(1.1)] * 5, epochs=100, cost=Cost(candidate=2.0))
    assert longer.verdict is Verdict.PASS
    shown = paid.to_json()
    assert (shown["once_baseline"], shown["once_candidate"]) == (0.0, 2.0)
    assert shown["epoch_ratio"] == pytest.approx(1.1)


def test_an_intermittent_cost_that_medians_pass_over_is_inconclusive():
    said = judge_time([block(1.05, mean_ratio=1.25)] * 20, epochs=10)
    assert said.decision.verdict is Verdict.PASS
    assert (said.verdict, said.intermittent, said.open) == (Verdict.INCONCLUSIVE, True, False)
    assert said.sentence == (
        "INCONCLUSIVE after 5 timed blocks: training takes 1.05 times as long by median epochs, "
        "but 1.25 times by mean epochs: intermittent cost; less than 1.20 wanted"
    )
    shown = said.to_json()
    assert (shown["verdict"], shown["lean"], shown["more"]) == ("INCONCLUSIVE", "OPEN", None)
    below = judge_time([block(1.05, mean_ratio=1.19)] * 20, epochs=10)
    assert below.verdict is Verdict.PASS


def test_cpu_time_is_shown_and_never_judged():
    said = judge_time([block(1.05, cpu=2.0)] * 5, epochs=10)
    assert said.cpu_ratio == pytest.approx(1.05)
    odd = Visit(1.0, 1.0, 50.0)
    plain = Visit(1.0, 1.0, 1.0)
    said = judge_time([Block(plain, odd, odd, plain)] * 5, epochs=10)
    assert said.cpu_ratio == pytest.approx(50)
    assert said.verdict is Verdict.PASS
    assert judge_time([block(1.05)] * 5, epochs=10).cpu_ratio is None


@pytest.mark.parametrize(
    ("ratios", "sentence"),
    [
        ([1.1] * 5, "PASS after 5 timed blocks: training takes 1.10 times as long, at most 1.10; "),
        (
            [1.3] * 3,
            "FAIL after 3 timed blocks: training takes 1.30 times as long, at least 1.30; ",
        ),
        (
            [1.1, 1.15, 1.2],
            (
                "INCONCLUSIVE after 3 timed blocks: training takes 1.15 times as long, from 1.00 "
                "to an unknown bound; less than 1.20 wanted; about 9 more blocks"
            ),
        ),
        ([], "INCONCLUSIVE after 0 timed blocks: no block timed yet"),
    ],
)
def test_sentences_give_ratios(ratios: list[float], sentence: str):
    assert judge_time([block(ratio) for ratio in ratios], epochs=10).sentence.startswith(sentence)


def test_bounds_in_ratio_units_are_those_of_the_decision():
    rng = np.random.default_rng(0)
    said = judge_time([block(r) for r in rng.normal(1.15, 0.05, 20)], epochs=10)
    shown = json.loads(json.dumps(said.to_json(), allow_nan=False))
    assert shown["ratio_lower"] < shown["ratio"] < shown["ratio_upper"]
    assert shown["ratio_upper"] == pytest.approx(math.exp(-shown["lower"]))
    assert shown["ratio_lower"] == pytest.approx(math.exp(-shown["upper"]))
    assert {"verdict", "n", "mean", "se", "lower", "upper", "lean", "more"} <= set(shown)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_times_that_are_none_are_refused(bad: float):
    with pytest.raises(UsageError) as caught:
        Visit(1.0, bad)
    assert caught.value.where == "visit.mean"
    with pytest.raises(UsageError) as caught:
        judge_time([], epochs=10, max_ratio=bad)
    assert caught.value.where == "max_ratio"


def test_costs_and_epochs_that_are_none_are_refused():
    with pytest.raises(UsageError) as caught:
        Cost(candidate=-1.0)
    assert caught.value.where == "cost.candidate"
    with pytest.raises(UsageError) as caught:
        judge_time([], epochs=0)
    assert caught.value.where == "epochs"
