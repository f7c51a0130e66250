"""``ablate tune`` as a person meets it."""

from __future__ import annotations

import importlib.util
import json
import shlex

import pytest

from harness.graphs.dataset import save
from harness.testing import planted_graphs
from harness.training.checkpoint import load

pytest.importorskip("optuna", reason="the extra hpo is not installed")


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(planted_graphs(120, seed=3), tmp_path / "planted")


@pytest.fixture
def tune(ablate):
    """Run the command itself; gives all that it printed."""

    def run(*arguments, code=2):
        printed = ablate("tune", *arguments, code=code)
        return printed.stdout + printed.stderr

    return run


def test_every_flag_is_explained(tune):
    out = tune("--help", code=0)
    for flag in ("trials", "timeout", "workers", "storage", "space", "study", "pruner", "repeats"):
        assert f"--{flag}" in out
    words = " ".join(out.split())
    assert "name=low..high" in words
    assert "postgresql+psycopg://" in words
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--space", "hidden"], "search space, entry 'hidden'"),
        (["--space", "hidden=2..1"], "2 is not below 1"),
        (["--space", "hiden=8|16"], "model 'sage' has no value 'hiden'"),
        (["--space", "swa.start=0..1"], "feature 'swa' is not in this run"),
        (["--space", "focal_loss.gama=0..1"], "feature 'focal_loss' has no field 'gama'"),
        (["--space", "learning_rate=1e-3..50"], "less than or equal to 10"),
        (["--storage", "nowhere/study"], "there is no folder 'nowhere'"),
        (["--storage", "sqlite:///nowhere/study.db"], "cannot be opened"),
        (["--storage", "nosuchdb://host/name"], "sqlite:///study.db"),
        (["--features", "swaa"], "did you mean swa"),
        (["--model", "transformer"], "no model 'transformer'"),
        (["--model", "sage[hidden=0]"], "value 'hidden'"),
        (["--pruner", "wilcoxon"], "repeats must be at least 5"),
        (["--pruner", "what"], "--pruner"),
        (["--trials", "0"], "--trials"),
        (["--data", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--device", "cuda"], "no CUDA device"),
    ],
)
def test_what_cannot_be_is_said_with_exit_code_2(tune, tmp_path, arguments, says):
    out = tune("--data", "planted", "--out", "out", *arguments)
    assert says in " ".join(out.split())
    assert not list(tmp_path.glob("out/*.log"))


def test_without_the_extra_it_says_how_to_install_it(tune, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "plotly" else find(name)
    )
    out = tune("--data", "planted")
    assert "'plotly', which is not installed" in out
    assert "pip install 'gnn-ablation-harness[hpo]'" in out


def test_a_search_prints_its_winner_and_the_command_that_trains_it(ablate, tmp_path):
    search = (
        "tune", "--data", "planted", "--model", "gcn", "--epochs", 3, "--batch-size", 16,
        "--space", "learning_rate=1e-3..1e-2:log, hidden=8|16, focal_loss.gamma=0..3",
        "--features", "focal_loss+lr_finder", "--trials", 3, "--out", "out",
    )  # fmt: skip
    done = ablate(*search)
    assert "3/3" in done.stderr
    study, best, train, run, report = done.stdout.splitlines()
    assert study.endswith("out/study.journal")
    assert "in place of lr_finder" in best
    assert run.startswith("ablate run --data planted --models ")
    assert report == "report: out/report.html"
    assert (tmp_path / "out" / "report.html").stat().st_size > 1_000_000
    words = shlex.split(train)
    assert words[:2] == ["ablate", "train"]
    trained = ablate(*words[1:], "--out", "trained", code=(0, 1))  # 1: it collapsed
    assert "gate: F1" in trained.stdout
    stored = load(tmp_path / "trained" / "last.pt")["configuration"]
    values = dict(pair.split("=") for pair in best.split(": ")[1].split(" in place")[0].split(", "))
    assert stored["settings"]["learning_rate"] == float(values["learning_rate"])
    assert stored["model_values"]["hidden"] == int(values["hidden"])
    gamma = float(values["focal_loss.gamma"])
    assert json.dumps(stored["arm"]) == json.dumps([f"focal_loss[gamma={gamma}]"])
