"""The three shapes: which arms are compared, and every error before anything trains."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SlotConflictError, UsageError
from harness.feature import FEATURES
from harness.matrix.shapes import Shape, baseline_of, candidates_of, make_matrix

FREE = ["amp", "swa", "tensorboard", "param_groups", "focal_loss", "class_weights", "lr_finder"]
SOME = st.lists(st.sampled_from(FREE), min_size=2, max_size=5, unique=True)


@pytest.fixture(scope="module", autouse=True)
def _loaded():
    """Features are imported when they are first asked for, which no property should wait for."""
    FEATURES.names()


def matrix(shape, features="all", baseline="phase1"):
    shape = Shape(shape)
    return make_matrix(shape, candidates_of(features, shape), baseline_of(baseline))


def names(arm):
    return {feature.name for feature in arm}


@given(SOME)
def test_add_one_is_with_and_without_each(features):
    found = matrix("add-one", ",".join(features))
    assert [one.name for one in found.comparisons] == features
    for one in found.comparisons:
        inside = one.name in names(found.baseline)
        assert names(one.arm) - names(one.reference) == {one.name}
        assert names(one.arm if inside else one.reference) == names(found.baseline)
        assert one.against == ("baseline without it" if inside else "baseline")
        assert one.parts == one.apart == ()


def test_drop_one_takes_each_of_the_baselines_out_of_it():
    found = matrix("drop-one")
    assert found.baseline == baseline_of("phase1")
    assert {one.name for one in found.comparisons} == names(found.baseline)
    for one in found.comparisons:
        assert one.arm == found.baseline
        assert names(one.reference) == names(found.baseline) - {one.name}
        assert one.against == "all without it"


@given(SOME, st.sampled_from(["phase1", "plain", "amp+focal_loss"]))
def test_drop_one_takes_each_of_the_full_arm_out_of_it(features, baseline):
    found = matrix("drop-one", ",".join(features), baseline)
    assert names(found.baseline) == names(baseline_of(baseline)) | set(features)
    assert {one.name for one in found.comparisons} == names(found.baseline)
    assert {one.arm for one in found.comparisons} == {found.baseline}
    for one in found.comparisons:
        assert names(one.reference) == names(found.baseline) - {one.name}


def test_drop_one_gives_a_selected_feature_its_values_and_takes_joined_ones_out_together():
    found = matrix("drop-one", "focal_loss[gamma=1],amp+swa", "focal_loss+lr_finder")
    assert [one.name for one in found.comparisons] == [
        "lr_finder", "focal_loss[gamma=1.0]", "amp+swa",
    ]  # fmt: skip
    joined = found.comparisons[-1]
    assert names(joined.reference) == {"focal_loss", "lr_finder"}
    assert joined.against == "all without them"


def test_the_full_arm_is_checked_like_any_other():
    with pytest.raises(SlotConflictError, match="'planted_schedule' and 'swa' both own"):
        matrix("drop-one", "swa,planted_schedule")
    with pytest.raises(UsageError, match="stands twice"):
        matrix("drop-one", "swa,swa[start=0.4]")
    with pytest.raises(UsageError, match="there is nothing to take out"):
        matrix("drop-one", baseline="plain")


@given(SOME)
def test_pairs_are_every_two_with_all_four_arms(features):
    found = matrix("pairs", ",".join(features))
    assert [one.parts for one in found.comparisons] == list(combinations(features, 2))
    assert found.uncombined == ()
    for one in found.comparisons:
        first, second = one.parts
        rest = names(found.baseline) - {first, second}
        assert names(one.reference) == rest
        assert [names(arm) for arm in one.apart] == [rest | {first}, rest | {second}]
        assert names(one.arm) == rest | {first, second}
        assert one.name == f"{first}+{second}"
        inside = rest != names(found.baseline)
        assert one.against == ("baseline without them" if inside else "baseline")


def test_pairs_that_cannot_be_are_named_and_end_nothing():
    found = matrix("pairs", "swa,amp,planted_schedule,swa[start=0.4]", "plain")
    assert [one.name for one in found.comparisons] == [
        "swa+amp", "amp+planted_schedule", "amp+swa[start=0.4]",
    ]  # fmt: skip
    said = [one.sentence for one in found.uncombined]
    assert said[0] == (
        "swa+planted_schedule cannot be combined: "
        "features 'planted_schedule' and 'swa' both own the slot 'scheduler'"
    )
    assert "feature 'swa' stands twice" in said[1]
    assert len(said) == 3


def test_a_feature_that_does_not_fit_the_baseline_fits_where_that_part_is_in_the_pair():
    found = matrix("pairs", "planted_schedule,swa,amp", "swa")
    assert [one.name for one in found.comparisons] == ["swa+amp"]
    assert {one.name for one in found.uncombined} == {
        "planted_schedule+swa", "planted_schedule+amp",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("swa,planted_schedule", "swa.planted_schedule cannot be combined: (.|\n)*scheduler"),
        ("swa", "a pair takes two features"),
        ("swa,swaa", "did you mean swa"),
        ("swa+planted_schedule,amp", "both own the slot"),
        ("amp,swa[start=7]", "field 'start' of feature 'swa'"),
        ("amp,swa+tensorboard,amp+swa,tensorboard", "'amp.swa.tensorboard' is selected 2 times"),
    ],
)
def test_what_leaves_no_pair_is_an_error(features, message):
    with pytest.raises(UsageError, match=message):
        matrix("pairs", features, "plain")


@pytest.mark.parametrize("features", ["amp,amp", "swa[start=0.4],swa[start=0.40]"])
def test_a_candidate_is_named_once(features):
    with pytest.raises(UsageError, match="is selected 2 times"):
        matrix("add-one", features)


def test_the_plan_shares_every_trial_that_it_can(make_judge):
    drop = make_judge("amp,swa,tensorboard", shape="drop-one", budget=4).plan
    assert len({feature.cells[0].candidate for feature in drop.features}) == 1
    assert len({feature.cells[0].baseline for feature in drop.features}) == 3
    assert drop.baseline == ("amp", "swa", "tensorboard")
    pairs = make_judge("amp,swa,tensorboard", shape="pairs", budget=4).plan
    add = make_judge("amp,swa,tensorboard", budget=4).plan
    alone = {feature.name: feature.cells[0].candidate for feature in add.features}
    for feature in pairs.features:
        (cell,) = feature.cells
        assert cell.baseline == add.features[0].cells[0].baseline
        assert cell.apart == tuple(alone[part] for part in feature.parts)
    assert len(pairs.trials) == (1 + 3 + 3) * 14
    assert set(add.trials) < set(pairs.trials)


def test_cells_of_other_hardware_have_no_parts_to_run(make_judge):
    (cell,) = make_judge("amp,swa", shape="pairs", hardware=["t4"]).plan.features[0].cells
    assert not cell.here
    assert not any(cell.arms)
