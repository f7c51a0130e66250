"""The rules by which a run counts as collapsed."""

from __future__ import annotations

import numpy as np
import pytest

from harness.training import collapse


def test_nothing_is_collapsed_before_the_first_epoch():
    assert collapse.while_training([], 0) is None


@pytest.mark.parametrize("field", ["train_loss", "select_loss"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_not_finite_is_a_collapse_at_once_even_in_warm_up(make_record, field, value):
    found = collapse.while_training([make_record(0, **{field: value})], warmup_epochs=5)
    assert found.rule == "not_finite"
    assert found.epoch == 0
    assert "epoch 1" in found.detail


SAFE = {"predicted_safe": 20, "predicted_vulnerable": 0}
VULNERABLE = {"predicted_safe": 0, "predicted_vulnerable": 20}
BOTH = {"predicted_safe": 19, "predicted_vulnerable": 1}


@pytest.mark.parametrize(
    ("epochs", "warmup", "collapsed"),
    [
        ([SAFE], 0, False),
        ([SAFE, SAFE], 0, True),
        ([VULNERABLE, VULNERABLE], 0, True),
        ([SAFE, VULNERABLE], 0, True),
        ([SAFE, BOTH], 0, False),
        ([SAFE, BOTH, SAFE], 0, False),
        ([SAFE, SAFE], 1, False),
        ([SAFE, SAFE], 2, False),
        ([SAFE, SAFE, SAFE], 1, True),
        ([SAFE, SAFE, SAFE], 2, False),
        ([SAFE, SAFE, SAFE, SAFE], 2, True),
        ([SAFE, SAFE, BOTH], 0, False),
    ],
)
def test_one_class_twice_running_after_the_warm_up_is_a_collapse(
    make_record, epochs, warmup, collapsed
):
    history = [make_record(place, **counts) for place, counts in enumerate(epochs)]
    found = collapse.while_training(history, warmup)
    assert (found is not None) == collapsed
    if found:
        assert found.rule == "one_class_twice"
        assert found.epoch == len(epochs) - 1


def test_the_detail_says_which_class_in_which_epoch(make_record):
    history = [make_record(3, **SAFE), make_record(4, **VULNERABLE)]
    detail = collapse.while_training(history, 0).detail
    assert detail == "every graph is predicted safe in epoch 4 and vulnerable in epoch 5"


@pytest.mark.parametrize(
    ("predicted", "said"), [([0, 0, 0], "safe"), ([1, 1], "vulnerable"), ([0, 1, 1], None)]
)
def test_one_class_on_gate_at_the_chosen_epoch_is_a_collapse(predicted, said):
    found = collapse.at_chosen_epoch(np.array(predicted, np.uint8), epoch=6)
    if said is None:
        assert found is None
    else:
        assert found.rule == "one_class"
        assert f"predicted {said} at the chosen epoch 7" in found.detail
