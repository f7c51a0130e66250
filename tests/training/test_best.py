"""The chosen epoch: the largest select F1, the first of equals, never one that is not finite."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from harness.training.best import Best


@pytest.fixture
def model():
    return nn.Linear(2, 1)


@given(st.lists(st.sampled_from([0.0, 0.3, 0.5, 0.9]), min_size=1, max_size=8))
def test_the_first_epoch_of_the_largest_f1_is_kept(make_record, f1):
    best, model = Best(), nn.Linear(2, 1)
    for epoch, value in enumerate(f1):
        nn.init.constant_(model.weight, epoch)
        kept = best.offer(make_record(epoch, f1=value), model)
        assert kept == (value > max(f1[:epoch], default=-1.0))
    assert best.epoch == f1.index(max(f1))
    assert best.state["weight"].unique().tolist() == [best.epoch]


@pytest.mark.parametrize("field", ["train_loss", "select_loss"])
def test_an_epoch_that_is_not_finite_is_never_chosen(make_record, model, field):
    best = Best()
    assert not best.offer(make_record(0, f1=0.9, **{field: float("nan")}), model)
    assert best.epoch == -1
    assert best.offer(make_record(1, f1=0.1), model)


def test_its_weights_are_a_copy(make_record, model):
    best = Best()
    best.offer(make_record(0), model)
    before = best.state["weight"].clone()
    nn.init.constant_(model.weight, 7.0)
    assert torch.equal(best.state["weight"], before)


def test_it_is_restored_from_its_state(make_record, model):
    best, other = Best(), Best()
    best.offer(make_record(4, f1=0.4), model)
    other.load_state_dict(best.state_dict())
    assert other.record == best.record
    assert torch.equal(other.state["weight"], best.state["weight"])
    other.load_state_dict(Best().state_dict())
    assert other.epoch == -1
