from __future__ import annotations

import pytest

from harness.calibration.cases import known_cases
from harness.calibration.real import run_case, settings
from harness.matrix.stored import open_stored

CASES = {case.name: case for case in known_cases()}


def test_environment_and_file_have_no_part_in_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ablation.toml").write_text("epochs = 3\n")
    monkeypatch.setenv("ABLATION_PATIENCE", "7")
    config = settings(epochs=12)
    assert (config.epochs, config.patience) == (12, None)


@pytest.mark.parametrize("name", ["collapse", "baseline collapses"])
def test_real_runs_find_what_was_planted(tmp_path, name):
    line = run_case(CASES[name], tmp_path, {"data_root": tmp_path / "data"})
    assert line.kept, line
    stored = open_stored(tmp_path / name.replace(" ", "_"))
    assert len(stored.plan.features) == 1


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", list(CASES))
def test_every_case_is_kept(tmp_path, name):
    line = run_case(CASES[name], tmp_path, {"data_root": tmp_path / "data"})
    assert line.kept, line
