"""An epoch costs in proportion to the graphs, in time alone."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.replicate import replicate
from benchmarks.scale import Scale, in_own_process, scale_table
from harness.graphs.dataset import save
from harness.settings import TrainingSettings
from harness.testing import planted_graphs

MODEL = "sage[hidden=16,layers=1]"
GIB = 1 << 30


@pytest.mark.slow
def test_an_epoch_in_its_own_process(tmp_path):
    folder = save(planted_graphs(300), tmp_path / "data").folder
    found = in_own_process(folder, MODEL, TrainingSettings())
    assert (found.graphs, found.train, found.steps) == (300, 180, 3)
    assert 0 < found.before <= found.peak < found.mapped
    assert found.train_seconds > 0


@pytest.mark.slow
def test_the_command_makes_the_sets_and_takes_them_away(tmp_path):
    folder = save(planted_graphs(100), tmp_path / "data").folder
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    words = ["scale", "--sizes", "150,200", "--data", str(folder)]
    done = CliRunner().invoke(app, [*words, "--scratch", str(scratch)])
    assert done.exit_code == 0, done.output
    assert "| 200 " in done.stdout
    assert not list(scratch.iterdir())


def test_the_table_says_time_by_graph_and_memory_in_mib():
    one = Scale(1000, 600, 10, 0.5, 2.0, 100 << 20, 300 << 20, 400 << 20, 7)
    cells = [cell.strip() for cell in scale_table([one]).splitlines()[2].split("|")[1:-1]]
    assert cells == ["1,000", "600", "10", "0.50", "2.0", "2000", "100", "300", "400", "7"]


@pytest.mark.slow
def test_two_hundred_thousand_graphs_take_four_times_fifty_thousand_and_no_objects(tmp_path):
    few, many = (
        in_own_process(
            replicate(planted_graphs(2000), size, tmp_path / str(size)).folder,
            MODEL,
            TrainingSettings(),
        )
        for size in (50_000, 200_000)
    )
    assert many.peak < GIB
    assert many.peak - many.before < 64 << 20
    assert many.train_seconds / few.train_seconds == pytest.approx(4, rel=0.4)
    assert many.objects - few.objects < 1000
