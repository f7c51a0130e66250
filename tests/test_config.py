"""One configuration: file < environment < flags, and errors that say where a value came from."""

from __future__ import annotations

import pytest

from harness.config import RunConfig, load_config
from harness.errors import UsageError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_flags_win_over_environment_over_file(tmp_path, monkeypatch):
    (tmp_path / "ablation.toml").write_text('seeds = 4\nmodels = "gin"\npolicy = "claims"\n')
    assert load_config({}).seeds == 4
    monkeypatch.setenv("ABLATION_SEEDS", "5")
    assert load_config({}).seeds == 5
    found = load_config({"seeds": "6", "models": None})
    assert (found.seeds, found.models, found.policy) == (6, "gin", "claims")


def test_presets_are_defaults():
    assert load_config({}).training.epochs == 12
    assert load_config({"preset": "full"}).training.epochs == 40
    assert load_config({"preset": "full", "epochs": "3"}).training.epochs == 3


def test_every_setting_is_described():
    assert all(field.description for field in RunConfig.model_fields.values())


@pytest.mark.parametrize(
    ("flags", "variable", "file", "where"),
    [
        ({"seeds": "99"}, None, None, "--seeds"),
        ({"device": "tpu"}, None, None, "--device"),
        ({}, ("ABLATION_SEEDS", "many"), None, "ABLATION_SEEDS"),
        ({}, None, "seeds = 1\n", "ablation.toml, entry 'seeds'"),
        ({}, None, "sedes = 5\n", "ablation.toml, entry 'sedes'"),
        ({}, None, "seeds = \n", "ablation.toml"),
    ],
)
def test_an_error_says_where_the_value_came_from(
    tmp_path, monkeypatch, flags, variable, file, where
):
    if variable:
        monkeypatch.setenv(*variable)
    if file:
        (tmp_path / "ablation.toml").write_text(file)
    with pytest.raises(UsageError) as caught:
        load_config(flags)
    assert where in str(caught.value)


def test_a_file_that_is_named_must_exist(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        load_config({}, tmp_path / "nothing.toml")
