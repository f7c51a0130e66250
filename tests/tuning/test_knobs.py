"""A space bound to a run: what it sets, what it refuses, what it takes out."""

from __future__ import annotations

from typing import ClassVar

import pytest

from harness.errors import UsageError
from harness.feature import Claim, Feature
from harness.tuning.knobs import bind

PHASE_1 = "class_weights+weighted_sampler+focal_loss+lr_finder"


def test_a_name_is_a_setting_a_value_of_the_model_or_a_field(make_spec):
    spec = make_spec("focal_loss+swa", model="gat")
    space = bind(
        "learning_rate=1e-4..1e-2:log, heads=1|2, focal_loss.gamma=0..3, training.clip_norm=1..2, "
        "model.layers=2..4",
        spec,
    )
    places = [(knob.owner, knob.field) for knob in space.knobs]
    assert places == [
        ("training", "learning_rate"), ("model", "heads"), ("focal_loss", "gamma"),
        ("training", "clip_norm"), ("model", "layers"),
    ]  # fmt: skip


def test_values_reach_settings_model_and_features(make_spec):
    spec = make_spec("focal_loss[gamma=1]+swa[start=0.4]", model="gcn[dropout=0.1]")
    space = bind("learning_rate=1e-4..1e-2, hidden=32|64, focal_loss.gamma=0..3", spec)
    made = space.apply(spec, {"learning_rate": 0.004, "hidden": 32, "focal_loss.gamma": 2.5})
    assert made.settings == spec.settings.model_copy(update={"learning_rate": 0.004})
    assert str(made.model) == "gcn[dropout=0.1,hidden=32]"
    assert sorted(map(str, made.arm)) == ["focal_loss[gamma=2.5]", "swa[start=0.4]"]
    assert (made.seed, made.split, made.folder) == (spec.seed, spec.split, spec.folder)


def test_values_are_used_with_four_digits_within_the_range(make_spec):
    space = bind("learning_rate=1.23443e-4..1e-2:log, hidden=32..64", make_spec())
    read = space.read({"learning_rate": 0.00234567891, "hidden": 47})
    assert read == {"learning_rate": 0.002346, "hidden": 47}
    assert space.read({"learning_rate": 1.23443e-4, "hidden": 32})["learning_rate"] == 1.23443e-4


def test_a_range_takes_the_type_of_its_field(make_spec):
    rate, hidden = bind("learning_rate=1..2, hidden=32..64", make_spec()).knobs
    assert not rate.whole
    assert hidden.whole
    assert isinstance(hidden.entry.low, int)


def test_optional_entries_are_left_out_where_the_run_lacks_them(make_spec):
    space = bind("focal_loss.gamma?=0..4, heads?=1|2, hidden?=8|16", make_spec())
    assert [knob.name for knob in space.knobs] == ["hidden"]
    assert str(space) == "hidden=8|16"


def test_a_feature_that_only_chooses_the_learning_rate_gives_way_to_the_search(make_spec):
    spec = make_spec(PHASE_1)
    space = bind("learning_rate=1e-3..1e-2", spec)
    assert space.dropped == ("lr_finder",)
    made = space.apply(spec, {"learning_rate": 0.002})
    assert [one.name for one in made.arm] == ["class_weights", "focal_loss", "weighted_sampler"]
    kept = bind("focal_loss.gamma=0..1", spec)
    assert kept.dropped == ()


@pytest.mark.parametrize(
    ("space", "arm", "says", "mend"),
    [
        ("hiden=8|16", "", "model 'gcn' has no value 'hiden'", "hidden"),
        ("swa.start=0..1", "", "feature 'swa' is not in this run", "learning_rate"),
        ("swa.begin=0..1", "swa", "feature 'swa' has no field 'begin'", "swa.start"),
        ("epochs=2..8", "", "no setting 'epochs' to search", "learning_rate"),
        ("training.patience=2..8", "", "no setting 'patience' to search", "learning_rate"),
        ("learning_rate=1..20", "", "less than or equal to 10", "learning_rate"),
        ("hidden=8|0", "", "greater than or equal to 1", "hidden"),
        ("hidden=8|many", "", "valid integer", "hidden"),
        ("focal_loss.gamma=0..11", "focal_loss", "less than or equal to 10", "gamma"),
        ("hidden=8.5..16", "", "whole numbers alone", "name=low..high"),
        ("schedule=1..2", "", "takes no numbers", "a|b|c"),
        ("schedule=plateau|cosine", "swa", "'swa' chooses the schedule", "take the entry out"),
        ("swa.start?=0..1", "", "nothing of the search space is in this run", "hidden"),
    ],
)
def test_what_a_run_cannot_take_is_named_before_anything_trains(make_spec, space, arm, says, mend):
    with pytest.raises(UsageError) as caught:
        bind(space, make_spec(arm))
    assert says in caught.value.what
    assert mend in caught.value.mend
    assert space in caught.value.where


def test_features_around_the_search_cannot_be_searched_by_it(make_spec):
    with pytest.raises(UsageError, match="wraps the whole fit"):
        bind("swa.start=0..1", make_spec("swa"), outside=["swa"])


def test_a_feature_with_more_to_do_than_choosing_a_rate_stays_and_is_an_error(make_spec):
    class Both(Feature):
        name: ClassVar[str] = "both"
        claim: ClassVar[Claim] = Claim.QUALITY

        def learning_rate(self, run):
            return 0.1

        def on_epoch_end(self, run):
            pass

    with pytest.raises(UsageError, match="'both' chooses the learning_rate"):
        bind("learning_rate=1e-3..1e-2", make_spec((Both(),)))
