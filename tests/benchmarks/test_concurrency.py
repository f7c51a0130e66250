"""Trials one after the other and two at once, through the real executor."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.concurrency import Round, concurrency_table, run_round
from harness.graphs.dataset import save
from harness.testing import planted_graphs


@pytest.fixture
def graphs(tmp_path):
    return save(planted_graphs(100), tmp_path / "data")


@pytest.mark.slow
def test_a_round_runs_all_of_its_trials(graphs):
    found = run_round(graphs, graphs.folder, "gcn[hidden=8]", jobs=2, trials=3)
    assert found.trials == 3
    assert found.throughput == pytest.approx(3 / found.seconds)
    assert found.cpu_seconds > 0


def test_a_trial_that_fails_ends_the_round(graphs, tmp_path):
    with pytest.raises(RuntimeError, match="error"):
        run_round(graphs, tmp_path / "nowhere", "gcn[hidden=8]", jobs=1, trials=1)


def test_gains_are_taken_within_a_repeat():
    rounds = {
        1: [Round(4, 8.0, 2.0, 1.0)] * 2,
        2: [Round(4, 4.0, 2.2, 2.0), Round(4, 5.0, 2.2, 2.0)],
    }
    line = concurrency_table(rounds).splitlines()[3]
    assert [cell.strip() for cell in line.split("|")[1:-1]] == [
        "2", "4", "0.900", "1.80 (1.60-2.00)", "2.20", "2.0",
    ]  # fmt: skip


def test_the_command_prints_the_gain(graphs):
    words = "concurrency --model gcn[hidden=8] --trials 2 --repeats 1 --data"
    done = CliRunner().invoke(app, [*words.split(), str(graphs.folder)])
    assert done.exit_code == 0, done.output
    assert "gain" in done.stdout
