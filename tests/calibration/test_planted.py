from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest

from harness.feature import make_arm
from harness.graphs.catalog import resolve
from harness.selection import parse
from harness.testing import planted_graphs
from harness.training.fit import fit


def _run(make_spec, arm, **more):
    return fit(make_spec(arm, graphs=planted_graphs(120), epochs=1, **more))


def test_graphs_follow_from_the_options():
    first, again = (resolve("calibration[graphs=40,seed=3]") for _ in range(2))
    other = resolve("calibration[graphs=40,seed=4]")
    graphs = first.build(lambda *_: None)
    assert len(graphs) == 40
    assert graphs.content == again.build(lambda *_: None).content
    assert first.key() == again.key() != other.key()
    assert graphs.content != other.build(lambda *_: None).content


def test_nothing_leaves_every_score_as_it_was(make_spec):
    plain, with_it = _run(make_spec, ""), _run(make_spec, "calibration_nothing")
    assert np.array_equal(plain.gate.probability, with_it.gate.probability)


def test_other_weights_are_another_run(make_spec):
    first, again = (_run(make_spec, "calibration_restart") for _ in range(2))
    assert np.array_equal(first.gate.probability, again.gate.probability)
    plain = _run(make_spec, "")
    assert (plain.gate.probability != first.gate.probability).mean() > 0.9


def test_a_loss_turns_answers_around_and_the_gain_turns_them_back(make_spec):
    plain, lost = _run(make_spec, ""), _run(make_spec, "calibration_loss")
    mended = _run(make_spec, "calibration_loss+calibration_gain")
    assert np.array_equal(plain.gate.probability, mended.gate.probability)
    turned = ~np.isclose(plain.gate.probability, lost.gate.probability)
    assert 0 < turned.sum() <= np.ceil(len(turned) / 8) + 1
    assert lost.gate.probability[turned] == pytest.approx(
        1 - plain.gate.probability[turned], abs=1e-5
    )


@pytest.mark.parametrize(
    ("text", "slow"),
    [("share=0.5", [0, 1, 2, 3]), ("share=2.0,every=4", [2])],
)
def test_sleep_takes_its_share_of_the_epochs_that_are_due(monkeypatch, text, slow):
    (feature,) = make_arm(parse(f"calibration_slower[{text}]"))
    clock = iter([0.0, 10.0] * 4)
    slept = []
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(time, "sleep", slept.append)
    found = []
    for epoch in range(4):
        run = SimpleNamespace(epoch=epoch)
        feature.on_epoch_start(run)
        feature.on_epoch_end(run)
        if len(slept) > len(found):
            found.append(epoch)
        else:
            next(clock)
    assert found == slow
    assert slept == [pytest.approx(feature.share * 10)] * len(slow)


def test_one_run_of_three_collapses_unless_it_is_rescued(make_spec):
    constant = [
        np.ptp(_run(make_spec, arm, seed=seed).gate.probability) == 0
        for arm in ("calibration_collapse", "calibration_collapse+calibration_rescue")
        for seed in range(3)
    ]
    assert constant == [False, False, True, False, False, False]
