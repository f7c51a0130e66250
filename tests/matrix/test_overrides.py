"""Tables of single candidates: found by name, checked, stored in the plan, printed."""

from __future__ import annotations

import pytest

from harness.config import Override
from harness.errors import UsageError
from harness.feature import make_arm
from harness.matrix.overrides import override_of, read_overrides
from harness.matrix.planned import Plan
from harness.selection import parse

ONE, TWO = Override(margin=0.01), Override(lines=200)


def test_bare_names_hold_for_all_values_unless_these_have_their_own_table():
    tables = read_overrides({"swa": ONE, "swa[start=0.6]": TWO})
    assert override_of(make_arm(parse("swa")), tables) == ONE
    assert override_of(make_arm(parse("swa[anneal=7]")), tables) == ONE
    assert override_of(make_arm(parse("swa[start=0.60]")), tables) == TWO
    assert override_of(make_arm(parse("amp")), tables) == Override()


def test_joined_features_are_one_candidate_in_any_order():
    tables = read_overrides({"swa+amp": TWO, "swa": ONE})
    assert override_of(make_arm(parse("amp+swa")), tables) == TWO


@pytest.mark.parametrize("name", ["swaa", "swa[start=7]", "swa+", "swa+swa"])
def test_a_table_of_nothing_is_an_error_that_names_it(name):
    with pytest.raises(UsageError) as caught:
        read_overrides({name: ONE})
    assert caught.value.where == f"overrides.{name}"
    assert caught.value.exit_code == 2


def test_two_tables_of_one_candidate_are_an_error():
    with pytest.raises(UsageError, match="two tables for 'amp"):
        read_overrides({"amp+swa": ONE, "swa+amp": TWO})


def test_the_plan_keeps_them_so_that_a_report_needs_no_configuration(make_judge):
    table = Override(margin=0.01, max_ratio=1.3, lines=200, factor=3)
    judge = make_judge("swa,amp", overrides=read_overrides({"swa": table}))
    plan = Plan.model_validate(judge.plan.model_dump(mode="json"))
    assert plan == judge.plan
    swa, amp = (judge.rules(feature) for feature in plan.features)
    assert (swa.margin, swa.max_ratio, swa.complexity.lines) == (0.01, 1.3, 200)
    assert swa.overrides == (
        "F1 margin +0.01 for +0.02", "time ratio 1.3 for 1.2", "logical lines 200 for 150",
        "complexity factor 3 for 2",
    )  # fmt: skip
    assert amp.overrides == ()


def test_a_plan_from_before_there_were_measures_is_read(make_judge):
    stored = make_judge("amp").plan.model_dump(mode="json")
    del stored["complexity"]
    for feature in stored["features"]:
        del feature["complexity"], feature["override"]
    plan = Plan.model_validate(stored)
    assert plan.features[0].complexity is None
