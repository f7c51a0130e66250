"""Class weights: scikit-learn's balanced weights, a multiplier, a cap, a mean of one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from harness.errors import DataError
from harness.training.live import LiveRun


def weights(make_spec, arm, positive=0.3):
    """The weights of a run, and the labels of the graphs that an epoch draws."""
    spec = make_spec(arm)
    label = (np.arange(len(spec.graphs)) < round(positive * len(spec.graphs))).astype(np.int8)
    info = spec.graphs.info.model_copy(update={"content": ""})
    graphs = dataclasses.replace(spec.graphs, label=label, info=info)
    whole = np.arange(len(label))
    split = dataclasses.replace(spec.split, train=whole)
    run = LiveRun(dataclasses.replace(spec, graphs=graphs, split=split))
    return run.class_weights.numpy().astype(float), label[run.order(0)], run


@pytest.mark.parametrize("positive", [0.1, 0.27, 0.5, 0.8])
def test_without_multiplier_they_are_scikit_learns_balanced_weights(make_spec, positive):
    found, label, _ = weights(make_spec, "class_weights[multiplier=1]", positive)
    wanted = compute_class_weight("balanced", classes=np.array([0, 1]), y=label)
    assert found == pytest.approx(wanted, rel=1e-6)


@given(st.floats(0.05, 0.95), st.floats(1, 5), st.floats(1, 50))
def test_multiplier_and_cap_set_the_ratio_and_the_mean_stays_one(
    make_spec, positive, multiplier, cap
):
    arm = f"class_weights[multiplier={multiplier},cap={cap}]"
    found, label, _ = weights(make_spec, arm, positive)
    rarity = float(np.mean(label == 0) / np.mean(label == 1))
    ratio = min(max(rarity * multiplier, 1 / cap), cap)
    assert found[1] / found[0] == pytest.approx(ratio, rel=1e-5)
    assert found[label.astype(int)].mean() == pytest.approx(1, rel=1e-5)


def test_where_a_sampler_balances_the_draws_no_class_is_weighed_twice(make_spec):
    arm = "class_weights[multiplier=1]+weighted_sampler"
    found, label, _ = weights(make_spec, arm, positive=0.2)
    assert label.mean() == pytest.approx(0.5, abs=0.2)
    wanted = compute_class_weight("balanced", classes=np.array([0, 1]), y=label)
    assert found == pytest.approx(wanted, rel=1e-6)


PHASE_1 = "+weighted_sampler+focal_loss"


@pytest.mark.parametrize(
    ("given_value", "taken"), [(1.25, 1.0), (2.0, 1.6), (1.0, 1.0), (1.2, 1.0), (5.0, 4.0)]
)
def test_where_three_remedies_meet_the_multiplier_is_softened_but_not_below_one(
    make_spec, given_value, taken
):
    arm = f"class_weights[multiplier={given_value},cap=1000]{PHASE_1}"
    found, label, run = weights(make_spec, arm)
    rarity = float(np.mean(label == 0) / np.mean(label == 1))
    assert found[1] / found[0] == pytest.approx(rarity * taken, rel=1e-5)
    (note,) = run.notes
    assert f"the multiplier of class_weights is {taken:g} instead of {given_value:g}" in note
    assert "class_weights, focal_loss, weighted_sampler" in note


@pytest.mark.parametrize("others", ["", "+weighted_sampler", "+focal_loss"])
def test_with_fewer_remedies_it_is_taken_as_given_and_nothing_is_said(make_spec, others):
    found, label, run = weights(make_spec, f"class_weights[multiplier=2]{others}")
    rarity = float(np.mean(label == 0) / np.mean(label == 1))
    assert found[1] / found[0] == pytest.approx(2 * rarity, rel=1e-5)
    assert run.notes == []


@pytest.mark.parametrize("positive", [0.0, 1.0])
def test_one_class_alone_cannot_be_weighed(make_spec, positive):
    with pytest.raises(DataError, match="all of one class"):
        weights(make_spec, "class_weights", positive)
