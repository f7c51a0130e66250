"""Several processes on one search: what a killed one costs, and what it does not."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("optuna", reason="the extra hpo is not installed")

from harness.errors import ExitCode, HarnessError, NotMeasuredError, UsageError
from harness.graphs.dataset import save
from harness.settings import TrainingSettings
from harness.testing import planted_graphs
from harness.tuning import workers
from harness.tuning.search import Search
from harness.tuning.workers import Task, search_together


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "planted"
    save(planted_graphs(120, seed=3), folder)
    return folder


@pytest.fixture
def task(data, tmp_path):
    def make(space="learning_rate=1e-3..1e-2:log", trials=6, epochs=8, **more):
        values = {
            "search": Search(space=space, trials=trials, pruner="none").model_dump_json(),
            "data": str(data), "folder": str(tmp_path / "out"), "model": "gcn[hidden=16]",
            "arm": (), "settings": TrainingSettings(epochs=epochs, batch_size=16).model_dump_json(),
            "seed": 0, "device": "cpu", "threads": 1, **more,
        }  # fmt: skip
        return Task(**values)

    return make


@pytest.fixture
def crews(monkeypatch):
    """The crews that are made, so that their processes can be killed."""
    made = []

    class Crew(workers._Crew):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(workers, "_Crew", Crew)
    return made


LONG = {"trials": 16, "epochs": 40}
"""A search that is not over before its parent has seen the first trials, however busy it is."""


def quiet(text):
    """Say nothing."""


def test_a_worker_killed_with_9_costs_one_trial_and_the_other_ends_the_search(task, crews):
    said, values = [], {}

    def kill_one(trial):
        values[trial.number] = trial.value
        if len(values) == 2:
            next(iter(crews[0]._running)).kill()

    won = search_together(task(**LONG), 2, kill_one, said.append)
    assert len(said) == 1
    assert re.fullmatch(
        r"worker [12] was killed by SIGKILL; its trial is begun again by the others", said[0]
    )
    assert (won.done, won.failed) == (LONG["trials"], 0)
    trials = task(**LONG).study().trials()
    stored = {one.number: one.value for one in trials if one.value is not None}
    assert stored == values


def test_all_workers_killed_and_the_search_goes_on_with_nothing_lost(task, crews):
    values = {}

    def kill_all(trial):
        values[trial.number] = trial.value
        for process in list(crews[0]._running):
            process.kill()

    with pytest.raises(NotMeasuredError, match="ended before the search did") as caught:
        search_together(task(**LONG), 2, kill_all, quiet)
    assert caught.value.exit_code == ExitCode.NOT_MEASURED
    again = []
    won = search_together(task(**LONG), 1, again.append, quiet)
    assert won.done == len(again) == LONG["trials"]
    assert {one.number: one.value for one in again}.items() >= values.items()
    assert crews[1:]


def test_a_finished_search_starts_no_process(task, crews):
    search_together(task(trials=1), 1, quiet, quiet)
    found = search_together(task(trials=1), 1, quiet, quiet)
    assert found.done == 1
    assert len(crews) == 1


def test_what_cannot_be_is_said_before_any_process_starts(task, crews):
    with pytest.raises(UsageError, match="no value 'hiden'"):
        search_together(task(space="hiden=8|16"), 1, quiet, quiet)
    assert crews == []


def test_what_a_worker_says_is_raised_here_with_its_exit_code(task):
    plugin = "/nowhere/plugin.py"
    with pytest.raises(HarnessError, match="no such Python file") as caught:
        search_together(task(plugins=(plugin,)), 1, quiet, quiet)
    assert caught.value.where == plugin
    assert caught.value.exit_code == ExitCode.USAGE
