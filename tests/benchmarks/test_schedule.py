"""A simulated cluster: time goes on by events, and failures cost time and change no verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cluster import Cluster, DrawnResults, SimulatedExecutor
from benchmarks.schedule import plan_of, simulate

CLUSTER = Cluster(gpus=12, failures=0.0)


@pytest.fixture(scope="module")
def plan():
    return plan_of(features=6, models=2, seeds=5)


@pytest.fixture(scope="module")
def found(plan):
    return simulate(plan, CLUSTER)


def test_without_failures_nothing_is_lost_and_no_schedule_beats_the_bound(found):
    assert found.lost == 0
    assert 0 < found.bound <= found.makespan
    assert 0 <= found.wasted < 0.3
    assert found.finished <= found.planned


def test_the_same_seed_gives_the_same_campaign(plan, found):
    assert replace(simulate(plan, CLUSTER), seconds=found.seconds) == found


def test_failures_cost_time_and_lost_trials_are_run_again(plan, found):
    broken = simulate(plan, replace(CLUSTER, failures=0.5))
    assert broken.lost > 0
    assert broken.makespan > found.makespan
    assert broken.finished - broken.unread == found.finished - found.unread


def test_more_gpus_are_never_slower(plan, found):
    assert simulate(plan, replace(CLUSTER, gpus=1000)).makespan <= found.makespan


def test_a_gpu_that_failed_comes_back_after_its_repair(plan):
    spec = next(iter(plan.trials.values()))
    cluster = Cluster(gpus=1, failures=1e9, repair=600.0)
    executor = SimulatedExecutor(cluster, DrawnResults(plan.trials, {}))
    assert executor.start(spec, Path())
    (outcome,) = executor.wait()
    assert (outcome.status, executor.free) == ("lost", 0)
    assert executor.wait() == []
    assert (executor.free, executor.now) == (1, pytest.approx(600.0, abs=1.0))
