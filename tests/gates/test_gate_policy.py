from __future__ import annotations

import json
import math
from typing import Any

import pytest

from harness.errors import UsageError
from harness.gates.complexity import Budget
from harness.gates.policy import Policy, rules_for

CLAIMS = ("quality", "speed", "memory", "insight", "scale")


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_roadmap_asks_every_feature_for_two_points(claim: str):
    rules = rules_for(claim)
    assert (rules.margin, rules.neutral, rules.benefit, rules.max_ratio) == (0.02, False, None, 1.2)
    assert rules.gates == ("f1", "collapse", "time", "complexity")


@pytest.mark.parametrize(
    ("claim", "margin", "neutral", "benefit"),
    [
        ("quality", 0.02, False, None),
        ("speed", -0.01, True, "training time"),
        ("memory", -0.01, True, "peak memory"),
        ("insight", -0.01, True, None),
        ("scale", -0.01, True, None),
    ],
)
def test_claims_are_held_to_what_they_claim(
    claim: str, margin: float, *, neutral: bool, benefit: str | None
):
    rules = rules_for(claim, Policy.CLAIMS)
    assert (rules.margin, rules.neutral, rules.benefit) == (margin, neutral, benefit)
    assert ("benefit" in rules.gates) == (benefit is not None)


def test_an_override_is_printed():
    rules = rules_for("quality", margin=0.03, max_ratio=1.5)
    assert (rules.margin, rules.max_ratio) == (0.03, 1.5)
    assert rules.overrides == ("F1 margin +0.03 for +0.02", "time ratio 1.5 for 1.2")
    assert "overridden: F1 margin +0.03 for +0.02, time ratio 1.5 for 1.2" in rules.sentence


def test_an_overridden_budget_is_printed():
    rules = rules_for("quality", complexity=Budget(lines=200, factor=1.5))
    assert rules.overrides == ("logical lines 200 for 150", "complexity factor 1.5 for 2")
    assert "at most 200 logical lines" in rules.sentence
    assert "or F1 better by more than 3 points" in rules.sentence


def test_the_complexity_budget_is_the_roadmaps_and_reported_under_claims():
    for claim in CLAIMS:
        rules = rules_for(claim, Policy.CLAIMS)
        assert rules.complexity == Budget()
        assert rules.reported == ("complexity",)
        assert "complexity" not in rules.gates
        assert "logical lines" not in rules.sentence


def test_a_value_that_is_the_rules_own_is_no_override():
    assert rules_for("quality", margin=0.02, max_ratio=1.2) == rules_for("quality")


def test_the_sentence_says_what_is_asked():
    assert rules_for("quality").sentence == (
        "F1 better by more than 2 points, training takes less than 1.2 times as long, "
        "no collapse in 10 runs, at most 150 logical lines, cognitive complexity 30, 8 hooks and "
        "0 new dependencies or F1 better by more than 4 points"
    )
    assert rules_for("memory", Policy.CLAIMS).sentence == (
        "F1 at most 1 points worse, less peak memory than the baseline, "
        "training takes less than 1.2 times as long, no collapse in 10 runs"
    )


def test_rules_become_json():
    shown = json.loads(json.dumps(rules_for("speed", Policy.CLAIMS).to_json()))
    assert shown["gates"] == ["f1", "collapse", "time", "benefit"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"claim": "fame"}, "claim"),
        ({"claim": "quality", "margin": math.nan}, "margin"),
        ({"claim": "quality", "max_ratio": -1.0}, "max_ratio"),
    ],
)
def test_what_cannot_be_asked_is_refused(arguments: Any, named: str):
    with pytest.raises(UsageError) as caught:
        rules_for(**arguments)
    assert caught.value.where == named
