"""What the loop uses of its own, and what it asks of those who own the slot."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from harness.errors import UsageError
from harness.run import ParameterGroup
from harness.settings import TrainingSettings
from harness.training.defaults import (
    adam,
    check_groups,
    check_optimizer,
    cross_entropy,
    one_group,
)


@pytest.fixture
def model():
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


@pytest.fixture
def groups(model):
    first, second = model
    return [
        ParameterGroup("first", list(first.parameters()), factor=0.5),
        ParameterGroup("second", list(second.parameters()), weight_decay=0.25),
    ]


def test_one_group_holds_every_parameter(model):
    (group,) = one_group(model)
    assert [id(each) for each in group.parameters] == [id(each) for each in model.parameters()]
    assert group.factor == 1.0
    assert group.weight_decay is None


def test_adam_takes_a_groups_own_decay_before_the_runs(groups):
    made = adam(groups, TrainingSettings(weight_decay=0.125, learning_rate=0.01))
    assert [group["weight_decay"] for group in made.param_groups] == [0.125, 0.25]
    assert all(group["lr"] == 0.01 for group in made.param_groups)


def test_cross_entropy_is_per_graph():
    logits, label = torch.randn(5, 2), torch.tensor([0, 1, 1, 0, 1])
    losses = cross_entropy(logits, label)
    assert losses.shape == (5,)
    assert torch.allclose(losses.mean(), functional.cross_entropy(logits, label))


def test_groups_that_hold_each_parameter_once_are_fine(model, groups):
    check_groups(groups, model)
    check_groups(one_group(model), model)


def test_a_parameter_that_is_left_out_is_named(model, groups):
    with pytest.raises(UsageError, match=r"no parameter group holds '1\.weight' \(2 are left out"):
        check_groups(groups[:1], model)


def test_a_parameter_in_two_groups_is_named_with_both(model, groups):
    twice = [*groups, ParameterGroup("third", [model[0].bias])]
    with pytest.raises(UsageError, match=r"'0\.bias' stands in the groups 'first' and 'third'"):
        check_groups(twice, model)


def test_a_parameter_of_elsewhere_is_refused(model, groups):
    strange = [*groups, ParameterGroup("strange", [nn.Parameter(torch.zeros(1))])]
    with pytest.raises(UsageError, match="group 'strange' holds a parameter that is not the mod"):
        check_groups(strange, model)


def test_an_optimizer_is_over_the_groups_in_their_order(groups):
    settings = TrainingSettings()
    check_optimizer(adam(groups, settings), groups)
    for others in (groups[::-1], groups[:1]):
        with pytest.raises(UsageError, match="not over the groups 'first', 'second'"):
            check_optimizer(adam(others, settings), groups)
