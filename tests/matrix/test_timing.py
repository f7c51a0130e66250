"""Timed visits: what counts and what is discarded."""

from __future__ import annotations

import random
from contextlib import nullcontext
from dataclasses import replace
from statistics import median

import pytest

from harness.errors import NotMeasuredError
from harness.matrix.blocks import TimingSettings, drawn_order
from harness.matrix.local import LocalExecutor
from harness.matrix.store import Store
from harness.matrix.timing import TimedArm, training_share
from harness.matrix.worker import to_fit
from harness.testing import planted_graphs
from harness.training.fit import fit


@pytest.fixture
def arm(make_judge, packed, tmp_path):
    judge = make_judge("planted_noop")
    spec = judge.plan.trials[judge.plan.features[0].cells[0].candidate[0]]
    trial = to_fit(spec, packed[1], Store(tmp_path / "scratch"))
    return TimedArm(trial, TimingSettings(warmup_epochs=1, epochs=1))


def test_a_visit_discards_its_warm_up_and_fits_go_on_over_visits(arm):
    visits = [arm.visit() for _ in range(3)]
    assert [len(visit.epochs) for visit in visits] == [1, 1, 1]
    # Fits of three epochs: begun in epochs 0 and 3, the first ended when the second began.
    assert [len(visit.setup) for visit in visits] == [1, 1, 0]
    assert [len(visit.finish) for visit in visits] == [0, 1, 0]
    assert all(visit.epochs[0] > 0 and visit.cpu > 0 and visit.peak_bytes > 0 for visit in visits)


def test_a_wrapped_arm_is_timed_by_whole_fits_with_all_that_its_processes_do(make_spec):
    settings = TimingSettings(warmup_epochs=1, epochs=1)
    graphs = planted_graphs(2560)  # so many that what processes take to begin is little beside it
    arms = [
        TimedArm(make_spec(arm, graphs=graphs, epochs=4, processes=processes), settings)
        for arm, processes in (("", 1), ("ensemble[members=4]", 1), ("ensemble[members=4]", 2))
    ]
    for arm in arms:
        arm.visit()
    # By turns, since other tests run beside them: one visit alone may cost twice what it should.
    rounds = [[arm.visit() for arm in arms] for _ in range(3)]
    for _, *ensembles in rounds:
        assert all(len(visit.epochs) == 1 for visit in ensembles)
        assert all((visit.setup, visit.finish) == ([], []) for visit in ensembles)
    single, alone, shared = (median(visit.cpu for visit in of) for of in zip(*rounds, strict=True))
    # Four members, and what they cost outside of their epochs.
    assert 2 < alone / single < 12
    assert 0.5 < shared / alone < 2, "time of other processes counts"
    assert median(visit.epochs[0] for _, visit, _ in rounds) > alone / 2


def test_evaluation_is_left_out_by_its_share(make_spec):
    found = fit(make_spec("ensemble"))
    trained = sum(found.train_seconds) + found.setup_seconds + found.finish_seconds
    evaluated = sum(record.evaluation_seconds for record in found.history)
    assert training_share(found) == pytest.approx(trained / (trained + evaluated))
    assert training_share(replace(found, train_seconds=(), setup_seconds=0, finish_seconds=0)) == 1


@pytest.mark.parametrize("way", ["noop", "kill"])
def test_what_arms_leave_in_the_temporary_folder_goes_with_them(
    make_judge, packed, plugin, tmp_path, monkeypatch, way
):
    judge = make_judge("planted_noop" if way == "noop" else "planted_crash[way=kill]")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cell = judge.plan.features[0].cells[0]
    baseline, candidate = (judge.plan.trials[keys[0]] for keys in (cell.baseline, cell.candidate))
    executor = LocalExecutor(judge.store, 1, 60, (plugin,))
    with executor.timed(baseline, candidate, packed[1], TimingSettings(epochs=1)) as timed:
        outcome = nullcontext() if way == "noop" else pytest.raises(NotMeasuredError)
        with outcome:
            timed.block(drawn_order(random.Random(0)))
        (scratch,) = tmp_path.glob("gnn-ablation-timing-*")
        assert list(scratch.glob("baseline/work/*/last.pt"))
    assert not list(tmp_path.glob("gnn-ablation-timing-*"))


def test_an_arm_that_dies_is_not_measured(make_judge, packed, plugin):
    judge = make_judge("planted_crash[way=kill]")
    cell = judge.plan.features[0].cells[0]
    baseline, candidate = (judge.plan.trials[keys[0]] for keys in (cell.baseline, cell.candidate))
    executor = LocalExecutor(judge.store, 1, 60, (plugin,))
    with (
        executor.timed(baseline, candidate, packed[1], TimingSettings(epochs=1)) as timed,
        pytest.raises(NotMeasuredError, match="candidate arm's process ended with code -9"),
    ):
        timed.block(drawn_order(random.Random(0)))
