"""A probe tells from two short epochs what a whole trial takes, and leaves nothing behind."""

from __future__ import annotations

from contextlib import nullcontext
from typing import ClassVar

import pytest

from harness.feature import Claim, Feature, make_arm
from harness.matrix.probe import probe, probe_trial, stored_paces
from harness.selection import parse
from harness.testing import planted_graphs
from harness.training.fit import fit


@pytest.fixture
def counted(make_spec):
    """A spec, and a clock by which a forward pass of training takes a second and nothing else."""

    def make(arm, **more):
        passes = []

        class Counting(Feature):
            """Count forward passes in training mode, which those of a range test are too."""

            name: ClassVar[str] = "counting"
            claim: ClassVar[Claim] = Claim.INSIGHT

            def around_forward(self, run):
                if run.model.training:
                    passes.append(run)
                return nullcontext()

        parts = make_arm(parse(arm)) if arm else ()
        spec = make_spec((*parts, Counting()), graphs=planted_graphs(640, seed=1), **more)
        return spec, lambda: float(len(passes))

    return make


@pytest.mark.parametrize("arm", ["", "class_weights+weighted_sampler+focal_loss+lr_finder"])
def test_a_probe_comes_near_the_whole_trial(counted, arm):
    """The probe trains on a sixth of the data."""
    spec, clock = counted(arm, epochs=8)
    fit(spec)
    whole = clock()
    found = probe(spec, clock)
    assert found.trial == pytest.approx(whole, rel=0.1)
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


def test_an_arm_that_trains_several_times_is_probed_by_whole_fits(counted):
    spec, clock = counted("ensemble[members=4]", epochs=8)
    fit(spec)
    whole = clock()
    found = probe(spec, clock)
    assert found.trial == pytest.approx(whole, rel=0.1)
    assert found.trial > 3 * probe(*counted("", epochs=8)).trial
