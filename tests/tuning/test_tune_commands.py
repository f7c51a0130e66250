"""The commands that a search prints make the very run that won."""

from __future__ import annotations

import shlex

import pytest

from harness.config import RunConfig, load_config
from harness.matrix.shapes import arms_of, baseline_of, candidates_of
from harness.selection import parse_single
from harness.tuning.commands import run_command, train_command
from harness.tuning.knobs import bind


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def found(make_spec):
    """A run as a search leaves it, and the configuration it was searched with."""

    def make(arm, space, values, **flags):
        config = load_config({"data": "my data.jsonl", **flags})
        spec = make_spec(arm, model="sage[dropout=0.1]", **config.training.model_dump())
        return bind(space, spec).apply(spec, values), config

    return make


def flags_of(command):
    words = shlex.split(command)
    assert words[0] == "ablate"
    return dict(zip(words[2::2], words[3::2], strict=True))


def settings_of(flags):
    names = {flag[2:].replace("-", "_"): value for flag, value in flags.items()}
    return load_config(
        {name: value for name, value in names.items() if name in RunConfig.model_fields}
    )


def test_train_makes_the_winner(found):
    spec, config = found(
        "class_weights+lr_finder+swa", "learning_rate=1e-4..1e-2, hidden=32|64, swa.start=0..0.9",
        {"learning_rate": 0.00125, "hidden": 64, "swa.start": 0.25},
        epochs=7, schedule="cosine", data_root="other", threads=2,
    )  # fmt: skip
    flags = flags_of(train_command(spec, config, load_config({})))
    read = settings_of({**flags, "--features": "all"})
    assert read.training == spec.settings
    assert (read.data, str(read.data_root), read.threads) == ("my data.jsonl", "other", 2)
    assert parse_single(flags["--model"]) == spec.model
    assert baseline_of(flags["--features"]) == spec.arm


def test_run_judges_what_was_added_to_the_baseline(found):
    spec, config = found(
        "class_weights+focal_loss+swa", "swa.start=0..0.9, focal_loss.gamma=0..3",
        {"swa.start": 0.25, "focal_loss.gamma": 1.5},
    )  # fmt: skip
    flags = flags_of(run_command(spec, config, load_config({})))
    (candidate,) = candidates_of(flags["--features"])
    reference, arm = arms_of(candidate, baseline_of(flags["--baseline"]))
    assert arm == spec.arm
    assert [one.name for one in reference] == ["class_weights", "focal_loss"]


def test_run_judges_each_of_the_baselines_own_where_nothing_was_added(found):
    spec, config = found(
        "class_weights+focal_loss", "focal_loss.gamma=0..3", {"focal_loss.gamma": 1.5}
    )
    flags = flags_of(run_command(spec, config, load_config({})))
    for candidate in candidates_of(flags["--features"]):
        assert arms_of(candidate, baseline_of(flags["--baseline"]))[1] == spec.arm
    assert len(candidates_of(flags["--features"])) == 2


def test_without_features_there_is_nothing_to_judge(found):
    spec, config = found("", "hidden=32|64", {"hidden": 32})
    assert run_command(spec, config, load_config({})) is None
    assert "--features plain" in train_command(spec, config, load_config({}))


def test_what_file_and_environment_say_is_not_repeated_but_overridden(found, monkeypatch):
    spec, config = found("", "hidden=32|64", {"hidden": 32}, epochs=12)
    assert "--epochs" not in train_command(spec, config, load_config({}))
    monkeypatch.setenv("ABLATION_EPOCHS", "30")
    assert "--epochs 12" in train_command(spec, config, load_config({}))
