"""One configuration: file < environment < flags, and errors that say where a value came from."""

from __future__ import annotations

from dataclasses import fields

import pytest

from harness.config import AUTO, BudgetValues, Override, RunConfig, load_config
from harness.errors import UsageError
from harness.gates.complexity import Budget


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


@pytest.mark.parametrize(("given", "size"), [("auto", AUTO), ("48", 48), (48, 48)])
def test_a_batch_size_is_a_number_or_auto(given, size, tmp_path, monkeypatch):
    assert load_config({"batch_size": given}).batch_size == size
    (tmp_path / "ablation.toml").write_text(f"batch_size = {given!r}\n")
    assert load_config({}).batch_size == size
    monkeypatch.setenv("ABLATION_BATCH_SIZE", str(given))
    assert load_config({}).batch_size == size


def test_margins_and_budgets_of_single_features_are_tables(tmp_path):
    (tmp_path / "ablation.toml").write_text(
        "[complexity]\nlines = 120\n[overrides.swa]\nmargin = 0.01\nmax_ratio = 1.3\nlines = 200\n"
    )
    found = load_config({})
    assert found.complexity.limits == {"lines": 120}
    swa = found.overrides["swa"]
    assert (swa.margin, swa.max_ratio, swa.limits) == (0.01, 1.3, {"lines": 200})


def test_an_error_in_a_table_names_the_keys_that_there_are(tmp_path):
    (tmp_path / "ablation.toml").write_text("[overrides.swa]\nmargn = 1\n")
    with pytest.raises(UsageError) as caught:
        load_config({})
    assert caught.value.exit_code == 2
    assert all(name in caught.value.mend for name in Override.model_fields)


def test_limits_have_the_names_that_the_gate_knows():
    assert set(BudgetValues.model_fields) == {field.name for field in fields(Budget)}
    assert all(field.description for field in Override.model_fields.values())


def test_every_setting_is_described():
    assert all(field.description for field in RunConfig.model_fields.values())


@pytest.mark.parametrize(
    ("flags", "variable", "file", "where"),
    [
        ({"seeds": "99"}, None, None, "--seeds"),
        ({"device": "tpu"}, None, None, "--device"),
        ({"batch_size": "many"}, None, None, "--batch-size"),
        ({"batch_size": "-1"}, None, None, "--batch-size"),
        ({}, ("ABLATION_SEEDS", "many"), None, "ABLATION_SEEDS"),
        ({}, None, "seeds = 1\n", "ablation.toml, entry 'seeds'"),
        ({}, None, "sedes = 5\n", "ablation.toml, entry 'sedes'"),
        ({}, None, "seeds = \n", "ablation.toml"),
        ({}, None, "[overrides.swa]\nmargn = 1\n", "ablation.toml, entry 'overrides.swa.margn'"),
        ({}, None, "[overrides.swa]\nmargin = 'x'\n", "entry 'overrides.swa.margin'"),
        ({}, None, "[overrides.swa]\nmax_ratio = 0\n", "entry 'overrides.swa.max_ratio'"),
        ({}, None, "[complexity]\nlines = -1\n", "entry 'complexity.lines'"),
        ({}, None, "complexity = 3\n", "entry 'complexity'"),
        ({}, ("ABLATION_COMPLEXITY", '{"lines": -1}'), None, "ABLATION_COMPLEXITY"),
        ({}, ("ABLATION_COMPLEXITY", "lines"), None, "ABLATION_COMPLEXITY: no table in JSON"),
        ({}, ("ABLATION_COMPLEXITY", "[" * 100_000), None, "ABLATION_COMPLEXITY: no table"),
        ({"clip_norm": "inf"}, None, None, "--clip-norm"),
        ({}, None, "timeout = nan\n", "ablation.toml, entry 'timeout'"),
        ({}, None, f"seeds = {'[' * 3000}\n", "ablation.toml: cannot be read as TOML"),
        ({}, None, f"{'a.' * 2000}a = 1\n", "ablation.toml, entry 'a'"),
        ({}, None, f"seeds{'.a' * 100_000} = 1\n", "ablation.toml: cannot be read as TOML"),
        ({}, None, "# a long file\n" * 30_000, "larger than 256 KiB"),
        ({}, None, "seeds = '\xff'\n", "ablation.toml, entry 'seeds'"),
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
