"""A cell's verdict out of its gates, and the quality gates out of its runs."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.gates.cell import Cell, CellKey, judge_runs
from harness.gates.collapse import ONE_CLASS, Outcome, judge_collapse
from harness.gates.f1 import Pair, Predictions
from harness.gates.policy import Policy, rules_for
from harness.gates.words import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection


KEY = CellKey("sage", "toy", "cpu")


@dataclass(frozen=True)
class Answer:
    """A gate of which only the answer matters."""

    verdict: Verdict
    open: bool = False

    @property
    def sentence(self):
        return f"{self.verdict} for a reason"

    def to_json(self):
        return {"verdict": self.verdict.value, "n": 1}


@pytest.mark.parametrize(
    "answers",
    list(itertools.product([Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE], repeat=3)),
)
def test_one_fail_fails_and_pass_needs_all(answers: Any):
    cell = Cell(KEY, dict(zip(("f1", "collapse", "time"), map(Answer, answers), strict=True)))
    if Verdict.FAIL in answers:
        assert cell.verdict is Verdict.FAIL
    elif set(answers) == {Verdict.PASS}:
        assert cell.verdict is Verdict.PASS
    else:
        assert cell.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("missing", ["f1", "collapse", "time"])
def test_a_gate_that_was_not_measured_keeps_the_cell_from_passing(missing: Any):
    gates = {name: Answer(Verdict.PASS) for name in ("f1", "collapse", "time") if name != missing}
    cell = Cell(KEY, gates)
    assert cell.verdict is Verdict.INCONCLUSIVE
    assert f"{missing} not measured" in cell.sentence
    assert cell.to_json()["gates"][missing] == {"verdict": "NOT_MEASURED"}


def test_a_cell_without_gates_was_not_measured():
    cell = Cell(KEY)
    assert cell.verdict is Verdict.NOT_MEASURED
    assert cell.sentence == "sage on toy, cpu: not measured"


def test_a_further_gate_counts_like_the_others():
    gates = {name: Answer(Verdict.PASS) for name in ("f1", "collapse", "time")}
    assert Cell(KEY, {**gates, "complexity": Answer(Verdict.FAIL)}).verdict is Verdict.FAIL


def test_the_sentence_names_the_gates_that_failed_alone():
    gates = {
        "f1": Answer(Verdict.PASS),
        "collapse": Answer(Verdict.INCONCLUSIVE),
        "time": Answer(Verdict.FAIL),
    }
    assert Cell(KEY, gates).sentence == "sage on toy, cpu: time FAIL for a reason"


def test_an_invalid_baseline_makes_the_cell_inconclusive_whatever_else_failed():
    baseline = [Outcome(k, ONE_CLASS if k < 2 else None, 0.6) for k in range(10)]
    collapse = judge_collapse([Outcome(k, None, 0.6) for k in range(10)], baseline)
    cell = Cell(KEY, {"f1": Answer(Verdict.FAIL), "collapse": collapse, "time": Answer("PASS")})
    assert (cell.verdict, cell.invalid_baseline) == (Verdict.INCONCLUSIVE, True)
    assert "INVALID BASELINE" in cell.sentence


def runs(seed: int, recall: float, rng: np.random.Generator):
    label = np.repeat([1, 0], [200, 400])
    guess = (rng.random(600) < np.where(label, recall, 0.1)).astype(np.int64)
    index = np.arange(600) + 600 * seed
    return Predictions(index, label, guess, index)


def quality_runs(
    count: int, gain: float, *, collapsed: Collection[int] = (), rng: np.random.Generator = None
):
    rng = rng or np.random.default_rng(0)
    pairs = []
    for seed in range(count):
        candidate = 0.6 + gain
        base = 0.02 if seed in collapsed else 0.6
        pairs.append(Pair(seed, runs(seed, base, rng), runs(seed, candidate, rng)))
    arms = {
        "candidate": [Outcome(pair.seed, None, pair.candidate.f1) for pair in pairs],
        "baseline": [Outcome(pair.seed, None, pair.baseline.f1) for pair in pairs],
    }
    return arms, pairs


def test_runs_are_judged_in_the_order_of_the_plan():
    arms, pairs = quality_runs(10, 0.3)
    f1, collapse = judge_runs(**arms, pairs=pairs[::-1], rules=rules_for("quality"))
    assert (f1.verdict, collapse.verdict) == (Verdict.PASS, Verdict.PASS)
    assert f1.evidence.seeds == tuple(range(10))


def test_a_partial_collapse_of_the_baseline_gives_no_credit_to_the_candidate():
    arms, pairs = quality_runs(12, 0.0, collapsed={1})
    raw = np.mean([pair.difference for pair in pairs[:5]])
    f1, collapse = judge_runs(**arms, pairs=pairs, rules=rules_for("quality"))
    assert raw > 0.02
    assert collapse.dropped == (1,)
    assert 1 not in f1.evidence.seeds
    assert f1.verdict is not Verdict.PASS


def test_the_cell_of_judged_runs_becomes_json():
    arms, pairs = quality_runs(4, 0.0)
    f1, collapse = judge_runs(**arms, pairs=pairs, rules=rules_for("insight", Policy.CLAIMS))
    cell = Cell(KEY, {"f1": f1, "collapse": collapse})
    assert cell.f1 is f1
    shown = json.loads(json.dumps(cell.to_json(), allow_nan=False))
    assert (shown["model"], shown["data"], shown["hardware"]) == ("sage", "toy", "cpu")
    assert shown["gates"]["f1"]["claim"] == "non-inferiority"
    assert shown["gates"]["collapse"]["n"] == 4
