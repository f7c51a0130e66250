"""A probe tells from two short epochs what a whole trial takes, and leaves nothing behind."""

from __future__ import annotations

import time

import pytest

from harness.matrix.probe import probe, probe_trial, stored_paces
from harness.testing import planted_graphs
from harness.training.fit import fit


@pytest.mark.parametrize("arm", ["", "class_weights+weighted_sampler+focal_loss+lr_finder"])
def test_a_probe_comes_near_the_whole_trial(make_spec, arm):
    """In CPU seconds, which a busy machine stretches little; the probe sees a sixth of the data."""
    spec = make_spec(arm, graphs=planted_graphs(640, seed=1), epochs=8)
    fit(spec)
    start = time.process_time()
    fit(spec)
    whole = time.process_time() - start
    found = probe(spec, time.process_time)
    assert whole / 3 < found.trial < 3 * whole
    assert found.trials == 0


def test_a_probe_of_one_epoch_and_of_few_graphs(make_spec):
    found = probe(make_spec(epochs=1, batch_size=1000))
    assert found.trial > found.epoch > 0


def test_a_trial_is_probed_and_nothing_stored(make_judge):
    judge = make_judge("planted_noop", baseline="phase1")
    spec = judge.plan.trials[judge.plan.features[0].cells[0].baseline[0]]
    assert probe_trial(spec, judge.results.folders[spec.data]).trial > 0
    assert not judge.store.root.exists()


def test_paces_of_stored_trials_are_medians(make_judge, write_trial):
    judge = make_judge("planted_noop")
    assert stored_paces(judge) == {}
    cell = judge.plan.features[0].cells[0]
    for key in cell.baseline[:3]:
        write_trial(judge, key)
    spec = judge.plan.trials[cell.baseline[0]]
    found = stored_paces(judge)
    assert list(found) == [(spec.data, "gcn", ())]
    pace = found[spec.data, "gcn", ()]
    assert (pace.trial, pace.epoch, pace.trials) == (1.0, 1.0, 3)


def test_an_arm_that_trains_several_times_is_probed_by_whole_fits(make_spec):
    graphs = planted_graphs(640, seed=1)
    plain, wrapped = (
        make_spec(arm, graphs=graphs, epochs=8) for arm in ("", "ensemble[members=4]")
    )
    fit(plain)
    start = time.process_time()
    fit(wrapped)
    whole = time.process_time() - start
    found, single = probe(wrapped, time.process_time), probe(plain, time.process_time)
    assert whole / 3 < found.trial < 3 * whole
    assert 4 / 3 < found.trial / single.trial < 3 * 4
