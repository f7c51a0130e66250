"""What goes into a fit and what comes out of it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from harness.feature import make_arm
from harness.result import Collapse, EpochRecord
from harness.selection import parse
from harness.settings import TrainingSettings


def test_the_same_run_with_another_arm(make_spec, tmp_path):
    spec = make_spec(folder=tmp_path, seed=4)
    other = spec.with_arm(make_arm(parse("swa")))
    assert [feature.name for feature in other.arm] == ["swa"]
    assert (other.seed, other.folder, other.settings) == (4, tmp_path, spec.settings)
    assert spec.arm == ()


def test_a_member_of_several_has_a_folder_of_its_own(make_spec, tmp_path):
    spec = make_spec(folder=tmp_path)
    first, second = (spec.member(f"member-{seed}", seed=seed) for seed in range(2))
    assert (first.folder, second.folder) == (tmp_path / "member-0", tmp_path / "member-1")
    assert (first.seed, second.seed) == (0, 1)
    assert make_spec().member("one").folder is None


def test_records_are_frozen_and_know_their_fields(make_record):
    record = make_record(3, f1=0.5)
    with pytest.raises(ValidationError, match="frozen"):
        record.f1 = 0.6
    with pytest.raises(ValidationError, match="Extra inputs"):
        EpochRecord(**record.model_dump(), surprise=1)
    with pytest.raises(ValidationError, match="Field required"):
        Collapse(rule="one_class", epoch=1)


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0}, {"learning_rate": float("nan")},
        {"weight_decay": -1}, {"schedule": "random"}, {"clip_norm": -1}, {"patience": -1},
        {"warmup_epochs": -1}, {"checkpoint_every": -1}, {"clip_norm": float("inf")}, {"x": 1},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(values):
    with pytest.raises(ValidationError):
        TrainingSettings(**values)


def test_every_setting_says_what_it_is():
    fields = TrainingSettings.model_fields
    assert all(field.description and not field.is_required() for field in fields.values())
