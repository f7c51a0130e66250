from __future__ import annotations

from dataclasses import replace

import pytest

from harness.calibration.cases import LARGEST, RUNS, VERDICT, Case, known_cases, obtained
from harness.gates.cell import Cell, CellKey
from harness.gates.collapse import Outcome, judge_collapse
from harness.gates.f1_gate import Evidence, judge_f1
from harness.gates.policy import Policy, rules_for
from harness.gates.verdict import judge_feature
from harness.gates.words import Verdict

NO_OP = Case("no-op", "nothing", "calibration_nothing", {"f1": "PASS", LARGEST: "0", RUNS: "4"})


@pytest.fixture
def verdict():
    """The verdict on a feature that changes nothing, after four pairs."""
    rules = rules_for("insight", Policy.CLAIMS)
    seeds = tuple(range(4))
    same = Evidence(seeds, (0.0,) * 4, floor=0.01, identical=(True,) * 4)
    runs = [Outcome(seed, f1=0.6) for seed in seeds]
    f1 = judge_f1(same, rules.margin, neutral=True, budget=10)
    key = CellKey("gcn", "planted", "cpu")
    gates = {"f1": f1, "collapse": judge_collapse(runs, runs)}
    return judge_feature([Cell(key, gates, required=rules.gates)], [key], rules)


def test_everything_that_a_case_asks_is_read_from_the_verdict(verdict):
    found = obtained(verdict)
    assert found["f1"] == "PASS"
    assert found["collapse"] == found[VERDICT] == "INCONCLUSIVE"
    assert found["time"] == "NOT_MEASURED"
    assert (found[LARGEST], found[RUNS]) == ("0", "4")


def test_a_case_is_kept_when_every_answer_is_the_right_one(verdict):
    line = NO_OP.line(verdict)
    assert line.kept
    assert line.wanted == line.obtained == "f1 PASS, largest difference 0, candidate runs 4"


@pytest.mark.parametrize("wrong", [{"f1": "FAIL"}, {LARGEST: "0.01"}, {"benefit": "PASS"}])
def test_one_wrong_answer_is_a_surprise(verdict, wrong):
    line = replace(NO_OP, wanted={**NO_OP.wanted, **wrong}).line(verdict)
    assert not line.kept
    assert line.wanted != line.obtained


def test_every_case_has_a_name_of_its_own_and_a_verdict_to_keep():
    cases = known_cases()
    assert len({case.name for case in cases}) == len(cases)
    assert all(case.wanted[VERDICT] in set(Verdict) for case in cases)
    assert {case.wanted[VERDICT] for case in cases} == {"PASS", "FAIL", "INCONCLUSIVE"}
