"""Each arm in a process of its own, as the table has them."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.arms import ARMS, ArmProcess, make_training
from benchmarks.cells import Cell, Precision, part_of
from harness.graphs.dataset import save

PARTS = ("engine", "r1", "r2")


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("arm", PARTS)
def test_an_arm_trains_epoch_by_epoch(small_graphs, arm, precision):
    cell = Cell("sage", 8, precision)
    training = make_training(ARMS[arm], small_graphs, part_of(small_graphs, 64), cell)
    for _ in range(2):
        training.epoch()


def test_the_tuned_arm_alone_starts_with_flags():
    assert not ARMS["engine"].environment
    assert not ARMS["r1"].environment
    assert ARMS["r2"].environment
    assert ARMS["r2"].fused


@pytest.mark.slow
def test_ratios_of_planted_graphs(small_graphs, tmp_path):
    folder = save(small_graphs, tmp_path / "data").folder
    words = f"ratios --data {folder} --models gcn,gat --hidden 8 --precision bf16 --repeats 2"
    result = CliRunner().invoke(
        app, [*words.split(), "--graphs", "64", "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 0, result.output
    assert "engine / r1" in result.output
    (file,) = (tmp_path / "out").iterdir()
    stored = json.loads(file.read_text("utf-8"))
    assert [row["model"] for row in stored["rows"]] == ["gcn", "gat"]
    for row in stored["rows"]:
        assert row["graphs"] == 52
        assert {name: len(times) for name, times in row["cpu_seconds"].items()} == dict.fromkeys(
            PARTS, 2
        )
    assert stored["data"]["content"] == small_graphs.content
    assert "torch" in stored["hardware"]["versions"]
    assert isinstance(stored["arms"]["r2"]["fp32_by_onednn"], bool)


def test_a_process_that_ends_is_said_and_none_is_left(tmp_path):
    with ExitStack() as stack:
        process = stack.enter_context(ArmProcess("r1", tmp_path / "nothing", 10))
        with pytest.raises(RuntimeError, match="ended with code"):
            process.begin(Cell("gcn", 8))
        number = process.number
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
