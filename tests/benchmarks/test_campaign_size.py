"""A campaign of made-up results is a real store: reports read all of it."""

from __future__ import annotations

import pytest

from benchmarks.campaign import lay_out_and_store, report
from harness.graphs.dataset import save
from harness.matrix.store import Store
from harness.matrix.stored import open_stored
from harness.testing import planted_graphs


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("campaign")
    graphs = save(planted_graphs(200, seed=0), folder / "data")
    return folder / "store", *lay_out_and_store(folder / "store", 2, 1, graphs)


def test_every_pair_is_stored_and_read(stored):
    folder, trials, _ = stored
    assert trials == 30
    judge = open_stored(folder)
    assert sum(judge.results.has(key) for key in judge.plan.trials) == 30
    assert all(judge.progress(feature).done for feature in judge.plan.features)
    assert not list(Store(folder).root.glob("failures/*"))


def test_each_step_is_measured_and_a_report_by_itself(stored):
    folder, _, costs = stored
    assert [cost.step for cost in costs] == [
        "lay the plan out", "write the plan", "store the results",
    ]  # fmt: skip
    assert all(cost.wall > 0 for cost in costs)
    cost = report(folder, "--format", "json")
    assert cost.step == "ablate report --format json"
    assert cost.cpu > 0
    assert cost.peak > 50 << 20


def test_a_store_that_cannot_be_read_is_no_measurement(tmp_path):
    with pytest.raises(RuntimeError, match="ended with"):
        report(tmp_path)
