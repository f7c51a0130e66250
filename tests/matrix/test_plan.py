"""The plan: with and without each feature, and every error before anything trains."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SlotConflictError, UsageError
from harness.matrix.shapes import arms_of, baseline_of, candidates_of, left_out_of
from harness.selection import parse


def _names(arm):
    return sorted(feature.name for feature in arm)


def test_a_feature_outside_of_the_baseline_is_added_to_it():
    reference, arm = arms_of(parse("swa"), baseline_of("phase1"))
    assert _names(reference) == _names(baseline_of("phase1"))
    assert _names(arm) == sorted([*_names(reference), "swa"])


def test_a_feature_inside_the_baseline_is_taken_out_of_the_reference():
    baseline = baseline_of("phase1")
    reference, arm = arms_of(parse("focal_loss"), baseline)
    assert _names(arm) == _names(baseline)
    assert _names(reference) == [name for name in _names(baseline) if name != "focal_loss"]


def test_other_values_of_a_baseline_feature_replace_it():
    _, arm = arms_of(parse("focal_loss[gamma=1]"), baseline_of("phase1"))
    assert "focal_loss[gamma=1.0]" in map(str, arm)


@given(st.sets(st.sampled_from(["amp", "focal_loss", "tensorboard", "swa"]), min_size=1))
def test_the_arms_differ_by_the_candidate_alone(names):
    reference, arm = arms_of(parse("+".join(sorted(names))), baseline_of("phase1"))
    assert set(_names(arm)) - set(_names(reference)) == names
    assert set(_names(reference)) <= set(_names(arm))


def test_baselines_have_names_that_join_with_features():
    assert baseline_of("plain") == ()
    assert _names(baseline_of("phase1+swa")) == sorted([*_names(baseline_of("phase1")), "swa"])


def test_two_owners_of_a_slot_are_an_error_that_names_both(make_judge):
    with pytest.raises(
        SlotConflictError, match=r"'planted_schedule' and 'swa' both own .*scheduler"
    ):
        make_judge("swa+planted_schedule")


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("", "no feature is selected"),
        ("swaa", "no feature 'swaa'(.|\n)*did you mean swa"),
        ("swa[start=2]", "field 'start' of feature 'swa'"),
        ("swa[begin=0.5]", "field 'begin'(.|\n)*its fields are: average"),
        ("swa+swa", "stands twice"),
    ],
)
def test_what_cannot_be_is_said_before_anything_trains(make_judge, features, message):
    with pytest.raises(UsageError, match=message):
        make_judge(features)


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ("gnc", "no model 'gnc'(.|\n)*did you mean .*gcn"),
        ("gat[heads=3]", "no multiple of heads"),
        ("sage[hidden=0]", "value 'hidden' of model 'sage'"),
    ],
)
def test_models_are_checked_too(make_judge, models, message):
    with pytest.raises(UsageError, match=message):
        make_judge("amp", models=models)


def test_all_means_each_registered_feature_by_itself():
    found = candidates_of("all")
    assert all(len(candidate) == 1 for candidate in found)
    assert {"amp", "swa", "param_groups", "tensorboard"} <= {one[0].name for one in found}


def test_all_leaves_out_what_trains_several_times_a_run_unless_it_is_named():
    names = [one[0].name for one in candidates_of("all")]
    assert "hpo" not in names
    assert "hpo" in left_out_of("all")
    assert [one[0].name for one in candidates_of("all,hpo")] == [*names, "hpo"]
    assert "hpo" not in left_out_of("all,hpo")
    assert left_out_of("amp") == []


def test_the_baselines_trials_serve_every_feature(make_judge):
    plan = make_judge("amp,swa", budget=4).plan
    first, second = (feature.cells[0] for feature in plan.features)
    assert first.baseline == second.baseline
    assert not set(first.candidate) & set(second.candidate)


def test_cells_of_hardware_that_is_not_here_have_no_trials(make_judge):
    plan = make_judge("amp", hardware=["t4"]).plan
    cell = plan.features[0].cells[0]
    assert not cell.here
    assert cell.baseline == cell.candidate == ()
