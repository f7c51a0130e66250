"""Node budgets beside batch sizes, each in new processes."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.budgets import Visit, budget_table, in_own_process
from harness.graphs.dataset import save
from harness.settings import TrainingSettings
from harness.testing import planted_graphs

MIB = 1 << 20


def test_a_visit_tells_batches_time_and_memory(tmp_path):
    folder = save(planted_graphs(300), tmp_path / "data").folder
    settings = TrainingSettings(batch_size=1000, batch_nodes=500)
    found = in_own_process(folder, "gcn[hidden=8]", settings)
    assert found.nodes <= 500
    assert found.steps * found.graphs == 180
    assert found.cpu_seconds > 0
    assert found.before <= found.peak


def test_the_table_has_medians_and_ends():
    visits = [Visit(10, 6.0, 900, seconds, 0, 64 * MIB) for seconds in (3.0, 1.0, 2.0)]
    line = budget_table({"64 graphs": visits}).splitlines()[2]
    assert [cell.strip() for cell in line.split("|")[1:-1]] == [
        "64 graphs", "10", "6", "900", "2.00 (1.00-3.00)", "64 (64-64)",
    ]  # fmt: skip


@pytest.mark.slow
def test_the_command_compares_by_turns(tmp_path):
    folder = save(planted_graphs(100), tmp_path / "data").folder
    words = "budgets --model gcn[hidden=8] --graphs 16 --nodes 200 --repeats 1 --data"
    done = CliRunner().invoke(app, [*words.split(), str(folder)])
    assert done.exit_code == 0, done.output
    assert "| 16 graphs" in done.stdout
    assert "| 200 nodes" in done.stdout
