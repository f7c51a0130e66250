from __future__ import annotations

import time

import pytest
import torch

from benchmarks.arms import EngineTraining
from benchmarks.cells import Cell, part_of
from benchmarks.phases import EVALUATION, REST, PhaseClock, operators, phase_table, phases_of


@pytest.fixture
def ticking():
    """A clock that only the test moves."""

    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    return Clock()


@pytest.fixture
def session(small_graphs):
    return EngineTraining(small_graphs, part_of(small_graphs, 64), Cell("gcn", 8)).session


def test_the_outermost_phase_counts(ticking):
    clock = PhaseClock(ticking)
    with clock.phase("evaluation"):
        ticking.now += 1
        with clock.phase("forward"):
            ticking.now += 2
    with clock.phase("forward"):
        ticking.now += 4
    assert clock.seconds == {"evaluation": 3, "forward": 4}


def test_a_phase_that_fails_counts_and_ends(ticking):
    def fail():
        ticking.now += 1
        raise ValueError("broken")

    clock = PhaseClock(ticking)
    with pytest.raises(ValueError, match="broken"):
        clock.timed("forward", fail)()
    with clock.phase("backward"):
        ticking.now += 2
    assert clock.seconds == {"forward": 1, "backward": 2}


def test_drawing_counts_and_use_does_not(ticking):
    def batches(count):
        for number in range(count):
            ticking.now += 1
            yield number

    clock = PhaseClock(ticking)
    drawn = []
    for number in clock.drawn("collation", batches)(3):
        ticking.now += 10
        drawn.append(number)
    assert drawn == [0, 1, 2]
    assert clock.seconds == {"collation": 3}


def test_the_phases_are_all_there_and_make_up_the_epoch(session):
    before = time.process_time()
    phases = phases_of(session, epochs=2)
    took = time.process_time() - before
    named = {"collation", "forward", "backward", "clipping", "optimizer", EVALUATION, REST}
    assert phases.keys() == named
    assert all(seconds > 0 for seconds in phases.values())
    assert 2 * sum(phases.values()) < took
    assert len(session.run.history) == 3


def test_nothing_stays_watched(session):
    kept = torch.autograd.backward, torch.nn.utils.clip_grad_norm_
    phases_of(session, epochs=1)
    assert (torch.autograd.backward, torch.nn.utils.clip_grad_norm_) == kept
    assert not {"forward", "batches"} & vars(session.run).keys()


def test_the_table_says_milliseconds_a_step_and_shares():
    lines = phase_table({"gcn": {"forward": 0.03, REST: 0.01}}, steps=10).splitlines()
    assert "forward" in lines[2]
    assert "3.00 (75%)" in lines[2]
    assert "1.00 (25%)" in lines[3]
    assert "4.00" in lines[4]


def test_operators_are_those_of_torch(session):
    assert "aten::addmm" in operators(session, rows=200)
