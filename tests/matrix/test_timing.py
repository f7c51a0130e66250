"""Timed visits: what counts, what is discarded, and what a feature costs outside of epochs."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from harness.errors import NotMeasuredError
from harness.matrix.local import LocalExecutor
from harness.matrix.store import Store
from harness.matrix.timing import (
    TimedArm,
    TimedCell,
    TimingSettings,
    memory_ratios,
    one_off_cost,
    to_block,
    training_share,
)
from harness.matrix.worker import to_fit
from harness.testing import planted_graphs
from harness.training.fit import fit


def _visit(seconds=1.0, setup=(), finish=(), peak=100):
    return {"epochs": [seconds, 3 * seconds, 2 * seconds], "cpu": seconds, "setup": list(setup),
            "finish": list(finish), "peak_bytes": peak}  # fmt: skip


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


def test_the_gate_reads_medians_and_means():
    block = to_block({"baseline": [_visit(1.0), _visit(2.0)], "candidate": [_visit(3.0)] * 2})
    assert (block.a1.median, block.a2.median, block.b1.median) == (2.0, 4.0, 6.0)
    assert block.b2.mean == pytest.approx(6.0)


def test_the_cost_outside_of_epochs_leaves_the_first_fit_out():
    blocks = [
        {"baseline": [_visit(setup=[9.0, 1.0]), _visit(finish=[0.5])],
         "candidate": [_visit(setup=[9.0, 4.0, 4.0]), _visit()]},
    ]  # fmt: skip
    cost = one_off_cost(blocks)
    assert cost.baseline == pytest.approx(1.5)
    assert cost.candidate == pytest.approx(4.0)


def test_memory_is_compared_at_its_peak():
    block = {"baseline": [_visit(peak=100), _visit(peak=50)], "candidate": [_visit(peak=200)] * 2}
    assert memory_ratios([block]) == [pytest.approx(math.log(2))]


def test_a_wrapped_arm_is_timed_by_whole_fits_with_all_that_its_processes_do(make_spec):
    settings = TimingSettings(warmup_epochs=1, epochs=1)
    plain, one, two = (
        TimedArm(
            make_spec(arm, graphs=planted_graphs(640), epochs=4, processes=processes), settings
        )
        for arm, processes in (("", 1), ("ensemble[members=4]", 1), ("ensemble[members=4]", 2))
    )
    for arm in (plain, one, two):
        arm.visit()
    single, alone, shared = (arm.visit() for arm in (plain, one, two))
    assert len(alone.epochs) == len(shared.epochs) == 1
    assert (alone.setup, alone.finish) == ([], [])
    # Four members, and what they cost outside of their epochs.
    assert 2 < alone.cpu / single.cpu < 12
    assert 0.5 < shared.cpu / alone.cpu < 2, "time of other processes counts"
    assert alone.epochs[0] > alone.cpu / 2


def test_evaluation_is_left_out_by_its_share(make_spec):
    found = fit(make_spec("ensemble"))
    trained = sum(found.train_seconds) + found.setup_seconds + found.finish_seconds
    evaluated = sum(record.evaluation_seconds for record in found.history)
    assert training_share(found) == pytest.approx(trained / (trained + evaluated))
    assert training_share(replace(found, train_seconds=(), setup_seconds=0, finish_seconds=0)) == 1


def test_an_arm_that_dies_is_not_measured(make_judge, packed, plugin):
    judge = make_judge("planted_crash[way=kill]")
    cell = judge.plan.features[0].cells[0]
    baseline, candidate = (judge.plan.trials[keys[0]] for keys in (cell.baseline, cell.candidate))
    context = LocalExecutor(judge.store, 1, 60).context
    settings = TimingSettings(epochs=1)
    with (
        TimedCell(context, baseline, candidate, packed[1], (plugin,), settings, 60.0) as timed,
        pytest.raises(NotMeasuredError, match="candidate arm's process ended with code -9"),
    ):
        timed.block(random.Random(0))
