"""Learning-rate schedules: the loop's own, and adapters for torch's."""

from __future__ import annotations

import math

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from harness.run import Schedule
from harness.settings import ScheduleName
from harness.training.schedules import PLATEAU_PATIENCE, PerStep, make_schedule


@pytest.fixture
def optimizer():
    """Adam over two groups at rates 0.1 and 0.01."""
    first, second = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    return torch.optim.Adam([{"params": [first], "lr": 0.1}, {"params": [second], "lr": 0.01}])


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def run(schedule, optimizer, metrics, steps=2):
    """The rate of the first group in each epoch."""
    seen = []
    for metric in metrics:
        seen.append(rates(optimizer)[0])
        for _ in range(steps):
            optimizer.step()
            schedule.after_step()
        schedule.after_epoch(metric)
    return seen


@pytest.mark.parametrize("name", list(ScheduleName))
def test_every_schedule_keeps_the_protocol_and_leaves_the_first_epoch_alone(optimizer, name):
    schedule = make_schedule(name, optimizer, epochs=5)
    assert isinstance(schedule, Schedule)
    assert rates(optimizer) == [0.1, 0.01]


def test_constant_is_constant(optimizer):
    schedule = make_schedule(ScheduleName.CONSTANT, optimizer, epochs=5)
    assert run(schedule, optimizer, [0.5] * 5) == [0.1] * 5
    assert schedule.state_dict() == {}
    schedule.load_state_dict({})


def test_cosine_follows_its_formula(optimizer):
    schedule = make_schedule(ScheduleName.COSINE, optimizer, epochs=6)
    wanted = [0.05 * (1 + math.cos(math.pi * epoch / 6)) for epoch in range(6)]
    assert run(schedule, optimizer, [0.5] * 6) == pytest.approx(wanted)


def test_plateau_halves_every_rate_when_f1_has_not_grown_for_some_epochs(optimizer):
    schedule = make_schedule(ScheduleName.PLATEAU, optimizer, epochs=20)
    growing = [0.1, 0.2, 0.3]
    stuck = [0.3] * (PLATEAU_PATIENCE + 1)
    assert run(schedule, optimizer, growing + stuck) == [0.1] * 7
    assert rates(optimizer) == pytest.approx([0.05, 0.005])


def test_per_step_steps_with_the_optimizer_alone(optimizer):
    inner = OneCycleLR(optimizer, max_lr=[0.1, 0.01], total_steps=10)
    schedule = PerStep(inner)
    start = inner.last_epoch
    run(schedule, optimizer, [0.5] * 4, steps=2)
    assert inner.last_epoch - start == 8


@pytest.mark.parametrize("name", list(ScheduleName))
def test_state_brings_a_schedule_back(optimizer, name):
    schedule = make_schedule(name, optimizer, epochs=12)
    run(schedule, optimizer, [0.4, 0.3, 0.2])
    state, groups = schedule.state_dict(), optimizer.state_dict()
    rest = run(schedule, optimizer, [0.1] * 6)

    other = type(optimizer)(
        [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.1, 0.01)]
    )
    again = make_schedule(name, other, epochs=12)
    other.load_state_dict(groups)
    again.load_state_dict(state)
    assert run(again, other, [0.1] * 6) == rest
