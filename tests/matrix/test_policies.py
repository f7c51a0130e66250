"""One store under both policies, and under budgets that a feature keeps or exceeds."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from harness.config import Override
from harness.gates.complexity import Budget
from harness.gates.policy import Policy
from harness.gates.words import Verdict
from harness.matrix.judge import Judge
from harness.report.console import show
from harness.report.markdown import to_markdown
from harness.report.other import other_policy
from harness.report.summary import summarise

TIGHT = Budget(lines=10)


def fill(judge, write_trial, rule):
    """Write the trials that judging asks for, until it asks for none; returns the progress."""
    feature = judge.plan.features[0]
    while not (progress := judge.progress(feature)).done:
        for key in progress.wanted:
            candidate = any(key in cell.candidate for cell in feature.cells)
            write_trial(judge, key, wrong=rule(judge.plan.trials[key].seed, candidate))
    return progress


def keep_blocks(judge, ratio):
    def visit(seconds):
        return {"epochs": [seconds] * 2, "cpu": seconds, "setup": [], "finish": [],
                "peak_bytes": 100}  # fmt: skip

    block = {"order": [], "baseline": [visit(1.0)] * 2, "candidate": [visit(ratio)] * 2}
    judge.store.keep("blocks", judge.plan.features[0].cells[0].timing, [block] * 5)


def same(seed, candidate):
    return seed % 3


def better(seed, candidate):
    return 0 if candidate else 12


def test_the_size_stands_in_every_cell_that_ran(make_judge, write_trial):
    judge = make_judge("amp", budget=5)
    fill(judge, write_trial, better)
    cell = judge.verdict(judge.plan.features[0]).cells[0]
    size = cell.gates["complexity"]
    assert size.verdict is Verdict.PASS
    assert size.measures == judge.plan.features[0].complexity
    assert size.per_100_lines[0] == pytest.approx(1e4 * cell.f1.decision.mean / size.measures.lines)


def test_a_cell_that_did_not_run_has_no_size_and_stays_not_measured(make_judge):
    judge = make_judge("amp", hardware=["t4"], complexity=TIGHT)
    verdict = judge.verdict(judge.plan.features[0])
    assert verdict.verdict is Verdict.NOT_MEASURED
    assert verdict.cells[0].gates == {}


def test_a_feature_over_budget_without_the_gain_fails(make_judge, write_trial):
    judge = make_judge("amp", budget=10, complexity=TIGHT)
    fill(judge, write_trial, lambda seed, candidate: 3 * seed % 7 if candidate else 6)
    found = judge.verdict(judge.plan.features[0])
    assert found.verdict is Verdict.FAIL
    assert found.cells[0].gates["complexity"].verdict is Verdict.FAIL
    assert "complexity FAIL" in found.sentence


def test_a_feature_over_budget_gets_the_pairs_that_its_greater_gain_needs(make_judge, write_trial):
    def gain(seed, candidate):
        return 0 if candidate else 5 + 3 * (seed % 2)

    judge = make_judge("amp", budget=20, complexity=Budget(lines=10, factor=4.6))
    fill(judge, write_trial, gain)
    cell = judge.verdict(judge.plan.features[0]).cells[0]
    size = cell.gates["complexity"]
    assert cell.f1.verdict is Verdict.PASS
    assert cell.f1.decision.n < size.raised.decision.n
    assert not size.open


def test_an_override_of_the_budget_lets_it_pass(make_judge, write_trial):
    judge = make_judge(
        "amp", budget=10, complexity=TIGHT, overrides={"amp": Override(lines=40, max_ratio=1.5)}
    )
    fill(judge, write_trial, better)
    keep_blocks(judge, 1.3)
    found = judge.verdict(judge.plan.features[0])
    assert found.verdict is Verdict.PASS
    assert found.overridden == (
        "overridden: time ratio 1.5 for 1.2, logical lines 40 for 150"
    )  # fmt: skip
    summary = summarise(judge)
    assert summary.features[0].why.endswith(f"({found.overridden})")
    assert found.overridden.split(": ")[1].split(", ")[0] in to_markdown(summary)


def test_under_claims_size_is_reported_and_judges_nothing(make_judge, write_trial):
    judge = make_judge("tensorboard", budget=10, policy="claims", complexity=TIGHT)
    fill(judge, write_trial, same)
    keep_blocks(judge, 1.0)
    found = judge.verdict(judge.plan.features[0])
    assert found.verdict is Verdict.PASS
    assert found.cells[0].gates["complexity"].over == ("logical lines",)
    shown = found.to_json()["cells"][0]["gates"]["complexity"]
    assert (shown["judged"], shown["verdict"]) == (False, "FAIL")


@pytest.mark.parametrize(
    ("policy", "own", "other"),
    [("claims", Verdict.PASS, Verdict.FAIL), ("roadmap", Verdict.FAIL, Verdict.INCONCLUSIVE)],
)
def test_the_other_policy_judges_the_same_results(make_judge, write_trial, policy, own, other):
    judge = make_judge("tensorboard", budget=10, policy=policy)
    fill(judge, write_trial, same)
    keep_blocks(judge, 1.0)
    feature = judge.plan.features[0]
    assert judge.verdict(feature).verdict is own
    view = other_policy(judge, feature)
    assert (view.policy.value, view.verdict) == (
        "roadmap" if policy == "claims" else "claims", other,
    )  # fmt: skip
    if other is Verdict.INCONCLUSIVE:
        assert "more trial" in view.why
    assert judge.plan.policy.value == policy, "the plan is left as it was"


def test_both_policies_pass_a_gain_without_cost(make_judge, write_trial):
    judge = make_judge("tensorboard", budget=10)
    fill(judge, write_trial, better)
    keep_blocks(judge, 1.0)
    view = other_policy(judge, judge.plan.features[0])
    assert view.sentence == "under the policy claims: PASS"


@pytest.mark.parametrize("candidate_wrong", [(5, 5, 6), (3, 6, 5, 5)])
def test_pairs_that_the_other_policy_still_needs_are_counted(
    make_judge, write_trial, candidate_wrong
):
    def rule(seed, candidate):
        return candidate_wrong[seed % len(candidate_wrong)] if candidate else 5

    judge = make_judge("tensorboard", budget=20)
    feature = judge.plan.features[0]
    fill(judge, write_trial, rule)
    assert judge.verdict(feature).verdict is Verdict.FAIL
    view = other_policy(judge, feature)
    decision = judge.under(Policy.CLAIMS).progress(feature).states[0].cell.f1.decision
    assert view.verdict is Verdict.INCONCLUSIVE
    assert view.more == decision.more
    assert (view.more is None) == (len(candidate_wrong) == 3), "one case of each kind"
    assert (f"about {view.more} more pair" if view.more else decision.more_reason) in view.why


def test_what_the_other_policy_says_is_what_its_own_report_would_say(make_judge, write_trial):
    judge = make_judge("amp", budget=10, policy="claims")
    fill(judge, write_trial, better)
    keep_blocks(judge, 0.9)
    feature = judge.plan.features[0]
    plan = judge.plan.model_copy(update={"policy": Policy.ROADMAP})
    anew = Judge(plan, judge.store, judge.results)
    assert other_policy(judge, feature).verdict is anew.verdict(feature).verdict


def test_every_format_shows_the_line_and_the_size(make_judge, write_trial):
    judge = make_judge("tensorboard", budget=10)
    fill(judge, write_trial, same)
    summary = summarise(judge)
    stream = io.StringIO()
    show(summary, Console(file=stream, width=400))
    line = summary.features[0].other.sentence
    assert line in stream.getvalue()
    assert line in to_markdown(summary).replace("\\", "")
    lines = judge.plan.features[0].complexity.lines
    assert f"logical lines {lines} of 150" in stream.getvalue()
    assert f"| {lines} of 150" in to_markdown(summary)
    shown = json.loads(json.dumps(summary.to_json(), allow_nan=False))
    feature = shown["features"]["tensorboard"]
    assert feature["other_policy"]["sentence"] == line
    assert feature["cells"][0]["gates"]["complexity"]["lines"] == lines
