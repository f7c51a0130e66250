"""From a store of real runs to the five answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.calibration.real import settings
from harness.cli import main
from harness.doctor.examine import examine
from harness.errors import NotMeasuredError
from harness.graphs.dataset import save
from harness.graphs.sources import silent
from harness.matrix.ablation import prepare
from harness.matrix.stored import open_stored
from harness.testing import planted_graphs

PLUGIN = Path(__file__).parent / "blind_plugin.py"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Three pairs of a model that cannot see large graphs, with a feature that changes nothing."""
    root = tmp_path_factory.mktemp("doctor")
    save(planted_graphs(900, seed=2), root / "planted")
    config = settings(
        data=str(root / "planted"), features="tensorboard", baseline="planted_blind",
        plugins=str(PLUGIN), seeds=3, out=root / "out", data_root=root / "data",
    )  # fmt: skip
    ablation = prepare(config, silent)
    monkey = pytest.MonkeyPatch()
    monkey.setattr("harness.matrix.campaign.Campaign._time", lambda self: None)
    try:
        ablation.run(lambda event: None)
    finally:
        monkey.undo()
    return root / "out"


@pytest.fixture(scope="module")
def case(store):
    (found,) = examine(open_stored(store), 200_000, 40, lambda device: 1 << 33)
    return found


def test_every_question_is_answered(case):
    assert len(case.answers) == 5
    assert all(answer.question.endswith("?") and answer.answer for answer in case.answers)
    assert json.loads(json.dumps(case.to_json()))["model"] == "gcn[hidden=16,layers=2]"


def test_a_model_that_is_blind_for_large_graphs_is_found_out(case):
    answer = case.answers[1]
    assert answer.answer == "yes"
    assert answer.lines[0].startswith("always predicts safe for graphs of ")
    assert " 23 nodes" in answer.lines[0]


def test_times_are_extrapolated_to_the_users_data(case):
    answer = case.answers[2]
    assert answer.question == "Does a run on 200,000 graphs for 40 epochs take less than 24 h?"
    assert answer.answer == "yes"


def test_memory_is_told_with_the_largest_batch(case, store):
    assert case.answers[3].answer == "yes"
    assert "the largest power of two that fits" in case.answers[3].lines[1]
    (tight,) = examine(open_stored(store), 0, 40, lambda device: 1000)
    assert tight.answers[3].answer == "no"
    assert any(one.what == "grad_accumulation" for one in tight.advice)


def test_advice_comes_with_its_reason_and_what_is_known(case):
    assert "not beat" in " ".join(case.answers[0].lines) or case.answers[0].answer in ("yes", "no")
    said = [one.sentence for one in case.advice]
    assert any("no training feature mends" in one for one in said)
    assert any(one.startswith("ensemble: ") for one in said)


def test_a_store_without_a_baseline_run_cannot_be_examined(store, tmp_path):
    (tmp_path / "plan.json").write_bytes((store / "plan.json").read_bytes())
    with pytest.raises(NotMeasuredError, match="no run of the baseline is finished"):
        examine(open_stored(tmp_path), 0, 40)


def test_the_command_prints_it(store, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["ablate", "doctor", str(store)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "1. Is the baseline's F1 above 0.80?" in out
    assert "5. Do runs collapse?" in out
    assert "Worth trying:" in out
