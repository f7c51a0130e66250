"""A feature's verdict over models, data sets and hardware, and pooling over hardware."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.gates.cell import Cell, CellKey
from harness.gates.collapse import Outcome, judge_collapse
from harness.gates.f1 import Contributions
from harness.gates.f1_gate import Evidence, judge_f1
from harness.gates.policy import Policy, Rules, rules_for
from harness.gates.pool import pool_hardware
from harness.gates.sequential import decide
from harness.gates.time import Block, Visit, judge_time
from harness.gates.verdict import judge_feature
from harness.gates.words import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence


RULES = Rules()
NEUTRAL = rules_for("insight", Policy.CLAIMS)
CLEAN = [Outcome(seed, None, 0.6) for seed in range(10)]


def timing(ratio: float = 1.0):
    a, b = Visit(1.0, 1.0), Visit(ratio, ratio)
    return judge_time([Block(a, b, b, a)] * 5, epochs=10)


def f1_of(
    d: list[float],
    *,
    rules: Rules = RULES,
    seeds: Sequence[int] | None = None,
    budget: int = 20,
    **more: Any,
):
    seen = Evidence(tuple(seeds or range(len(d))), tuple(d), **more)
    return judge_f1(seen, rules.margin, neutral=rules.neutral, budget=budget)


def cell(key: CellKey, d: list[float], *, ratio: float = 1.0, rules: Rules = RULES, **more: Any):
    gates = {
        "f1": f1_of(d, rules=rules, **more),
        "collapse": judge_collapse(CLEAN, CLEAN),
        "time": timing(ratio),
    }
    return Cell(key, gates, required=rules.gates)


def keys(models: tuple[str, ...] = ("gcn", "sage"), hardware: tuple[str, ...] = ("t4", "v100")):
    return [CellKey(model, "toy", kind) for model in models for kind in hardware]


GOOD = (0.05, 0.06, 0.04, 0.05, 0.055, 0.045)
NONE = (0.0, 0.005, -0.005, 0.0, 0.002, -0.002)
CLOSE = (0.03, 0.01, 0.05, 0.0, 0.04, 0.02)


def test_a_feature_that_passes_everywhere_passes():
    said = judge_feature([cell(key, GOOD) for key in keys()], keys(), RULES)
    assert said.verdict is Verdict.PASS
    assert said.reasons == ()
    assert (said.hardware, said.across_hardware) == (("t4", "v100"), True)
    assert said.sentence == "PASS: every gate passes in every cell, on t4, v100"


def test_one_kind_of_hardware_says_nothing_about_others():
    one = keys(hardware=("t4",))
    said = judge_feature([cell(key, GOOD) for key in one], one, RULES)
    assert (said.verdict, said.across_hardware) == (Verdict.PASS, False)
    assert "on t4 alone" in said.sentence


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("how", ["f1", "time"])
def test_one_failed_cell_fails_the_feature(place: int, how: str):
    cells = [cell(key, GOOD) for key in keys()]
    broken = {"d": NONE} if how == "f1" else {"d": GOOD, "ratio": 1.4}
    cells[place] = cell(keys()[place], **broken)
    said = judge_feature(cells, keys(), RULES)
    assert said.verdict is Verdict.FAIL
    (reason,) = said.reasons
    assert keys()[place].model in reason
    assert keys()[place].hardware in reason
    assert how in reason


@given(missing=st.sets(st.integers(0, 3), min_size=1), explicit=st.booleans())
def test_a_missing_cell_never_passes(*, missing: set[int], explicit: bool):
    cells = [cell(key, GOOD) for k, key in enumerate(keys()) if k not in missing]
    if explicit:
        cells += [Cell(key) for k, key in enumerate(keys()) if k in missing]
    said = judge_feature(cells, keys(), RULES)
    nothing_ran = len(missing) == 4
    assert said.verdict is (Verdict.NOT_MEASURED if nothing_ran else Verdict.INCONCLUSIVE)
    assert "not run on: " in said.sentence
    assert set(said.missing) == {keys()[k] for k in missing}


def test_hardware_that_nobody_has_is_named():
    wanted = keys(hardware=("t4", "v100", "cpu"))
    ran = [cell(key, GOOD) for key in wanted if key.hardware == "cpu"]
    said = judge_feature(ran, wanted, RULES)
    assert said.verdict is Verdict.INCONCLUSIVE
    assert said.reasons == ("not run on: t4, v100",)
    one_short = judge_feature([cell(key, GOOD) for key in keys()[:3]], keys(), RULES)
    assert one_short.reasons == ("not run on: sage on toy, v100",)


def test_a_failed_cell_fails_the_feature_even_where_others_are_missing():
    said = judge_feature([cell(keys()[0], NONE)], keys(), RULES)
    assert said.verdict is Verdict.FAIL


def test_an_open_time_gate_keeps_the_feature_open():
    cells = [cell(key, GOOD) for key in keys()]
    gates = {**cells[1].gates, "time": judge_time([], epochs=10)}
    cells[1] = Cell(cells[1].key, gates)
    said = judge_feature(cells, keys(), RULES)
    assert said.verdict is Verdict.INCONCLUSIVE
    (reason,) = said.reasons
    assert reason.startswith("gcn on toy, v100: time INCONCLUSIVE")


@pytest.mark.parametrize("name", ["f1", "collapse", "time"])
def test_a_gate_missing_in_one_cell_keeps_the_feature_open(name: str):
    cells = [cell(key, GOOD) for key in keys()]
    gates = {gate: result for gate, result in cells[0].gates.items() if gate != name}
    cells[0] = Cell(cells[0].key, gates)
    said = judge_feature(cells, keys(), RULES)
    assert said.verdict is Verdict.INCONCLUSIVE
    assert said.reasons == (f"gcn on toy, t4: {name} not measured",)


def test_a_cell_that_is_open_alone_may_pass_pooled():
    rng = np.random.default_rng(8)
    noise = rng.normal(0, 0.02, 6)
    one, two = keys(models=("gcn",))
    # What one kind of hardware adds by chance, the other takes: their mean is clear.
    cells = [cell(one, 0.05 + noise), cell(two, 0.05 - noise)]
    assert Verdict.INCONCLUSIVE in {c.f1.verdict for c in cells}
    said = judge_feature(cells, [one, two], RULES)
    assert said.pooled[("gcn", "toy")].decision.mean == pytest.approx(0.05)
    assert said.verdict is Verdict.PASS


def test_the_own_mean_of_every_hardware_must_reach_the_margin():
    one, two = keys(models=("gcn",))
    weak = (0.04, -0.01, 0.03, 0.0, 0.03, 0.015)
    strong = (0.055, 0.105, 0.065, 0.095, 0.065, 0.08)
    cells = [cell(one, weak), cell(two, strong)]
    assert cells[0].f1.verdict is Verdict.INCONCLUSIVE
    said = judge_feature(cells, [one, two], RULES)
    assert said.pooled[("gcn", "toy")].verdict is Verdict.PASS
    assert said.verdict is Verdict.INCONCLUSIVE
    assert said.reasons == ("gcn on toy, t4: its own mean of F1 does not reach the margin",)


def test_f1_that_fails_pooled_fails_the_feature():
    one, two = keys(models=("gcn",))
    noise = np.array([0.03, -0.03, 0.02])
    cells = [cell(one, noise), cell(two, -noise)]
    assert {c.f1.verdict for c in cells} == {Verdict.INCONCLUSIVE}
    said = judge_feature(cells, [one, two], RULES)
    assert said.verdict is Verdict.FAIL
    assert "pooled over hardware: FAIL" in said.sentence


def test_data_sets_are_not_pooled():
    one, two = CellKey("gcn", "x", "cpu"), CellKey("gcn", "y", "cpu")
    said = judge_feature([cell(one, GOOD), cell(two, CLOSE)], [one, two], RULES)
    assert set(said.pooled) == {("gcn", "x"), ("gcn", "y")}
    assert said.verdict is Verdict.INCONCLUSIVE


def test_an_invalid_baseline_is_a_reason_of_its_own():
    bad = [Outcome(k, "one class" if k < 2 else None, 0.6) for k in range(10)]
    cells = [cell(key, GOOD) for key in keys()]
    cells[0] = Cell(cells[0].key, {**cells[0].gates, "collapse": judge_collapse(CLEAN, bad)})
    said = judge_feature(cells, keys(), RULES)
    assert said.verdict is Verdict.INCONCLUSIVE
    (reason,) = said.reasons
    assert "INVALID BASELINE" in reason


def test_the_verdict_becomes_json():
    said = judge_feature([cell(key, GOOD) for key in keys()[:3]], keys(), RULES)
    shown = json.loads(json.dumps(said.to_json(), allow_nan=False))
    assert shown["verdict"] == "INCONCLUSIVE"
    assert [one["verdict"] for one in shown["cells"]] == ["PASS"] * 3 + ["NOT_MEASURED"]
    assert shown["missing"] == ["sage on toy, v100"]
    assert shown["rules"]["margin"] == 0.02
    assert [one["model"] for one in shown["pooled"]] == ["gcn", "sage"]


def test_cells_that_make_no_sense_are_refused():
    with pytest.raises(UsageError, match="given twice"):
        judge_feature([cell(keys()[0], GOOD)] * 2, keys(), RULES)
    with pytest.raises(UsageError, match="at least one cell"):
        judge_feature([], [], RULES)


@given(st.integers(2, 4), st.integers(3, 12), st.integers(0, 2**32 - 1))
def test_pooling_is_the_test_on_mean_differences_and_contributions(kinds: int, n: int, seed: int):
    rng = np.random.default_rng(seed)
    d = rng.normal(0.03, 0.02, (kinds, n))
    c = rng.normal(0, 1e-3, (kinds, n, 5))
    results = [
        f1_of(row, contributions=Contributions.of(np.arange(5), table), floor=0.001)
        for row, table in zip(d, c, strict=True)
    ]
    pooled = pool_hardware(results).decision
    wanted = decide(d.mean(axis=0), 0.02, c.mean(axis=0), 20, floor=0.001)
    assert (pooled.verdict, pooled.n) == (wanted.verdict, wanted.n)
    assert pooled.se == pytest.approx(wanted.se)


def test_pooling_matches_seeds_and_groups_by_name():
    ours = Contributions.of(np.array([1, 3]), np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]))
    theirs = Contributions.of(np.array([2, 3]), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    one = f1_of((0.1, 0.2, 0.3), seeds=(7, 8, 9), contributions=ours)
    two = f1_of((0.7, 0.5, 0.4), seeds=(9, 5, 7), contributions=theirs)
    seen = pool_hardware([one, two]).evidence
    assert seen.seeds == (7, 9)
    assert seen.differences == pytest.approx((0.25, 0.5))
    assert seen.contributions.groups.tolist() == [1, 2, 3]
    assert seen.contributions.values == pytest.approx(
        np.array([[0.05, 2.5, 3.1], [0.25, 0.5, 1.3]])
    )


def test_pooling_without_contributions_of_one_hardware_uses_seeds_alone():
    table = Contributions.of(np.array([1]), np.zeros((3, 1)))
    one, two = f1_of((0.1, 0.2, 0.3), contributions=table), f1_of((0.1, 0.2, 0.3))
    assert pool_hardware([one, two]).evidence.contributions is None


def test_hardware_on_which_a_neutral_feature_is_identical_needs_no_more_pairs():
    still = f1_of((0.0,) * 3, rules=NEUTRAL, identical=(True,) * 3)
    other = f1_of((0.004, -0.004, 0.0, 0.002, 0.002), rules=NEUTRAL, identical=(False,) * 5)
    pooled = pool_hardware([still, other])
    assert pooled.evidence.differences == pytest.approx((0.002, -0.002, 0.0, 0.001, 0.001))
    assert pooled.verdict is Verdict.PASS
    assert pool_hardware([still, still]).verdict is Verdict.PASS
    # Under a superiority margin they are ordinary pairs: three seeds are shared.
    assert len(pool_hardware([f1_of((0.0,) * 3), f1_of((0.1,) * 5)]).evidence.seeds) == 3


def test_results_under_different_rules_are_not_pooled():
    with pytest.raises(UsageError, match="2 sets of margins"):
        pool_hardware([f1_of(GOOD), f1_of(GOOD, rules=NEUTRAL)])
    with pytest.raises(UsageError, match="0 sets of margins"):
        pool_hardware([])
