"""The hpo feature: what its search may see, that the winner is what is trained, what it costs."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from pydantic import Field

pytest.importorskip("optuna", reason="the extra hpo is not installed")

from features.hpo import HPO
from harness.errors import UsageError
from harness.feature import FEATURES, Claim, Feature, make_arm
from harness.matrix.plan import FIRST_SEARCH_SEED
from harness.matrix.timing import TimedArm, TimingSettings
from harness.selection import parse
from harness.testing import check_pair, differences
from harness.training.fit import fit
from harness.tuning.search import Search

SPACE = "learning_rate=1e-3..3e-2:log"


class Recorder(Feature):
    """Keep every spec that is fitted inside of it."""

    name: ClassVar[str] = "recorder"
    claim: ClassVar[Claim] = Claim.INSIGHT
    seen: ClassVar[list] = []

    def around_fit(self, fit, spec):
        self.seen.append(spec)
        return fit(spec)


@pytest.fixture
def recorder(monkeypatch):
    monkeypatch.setitem(FEATURES._entries, "recorder", Recorder)
    monkeypatch.setattr(Recorder, "seen", [])
    return Recorder


# What the search may see -----------------------------------------------------------------------


def test_no_graph_of_the_gate_and_no_seed_of_a_gate_is_used_before_the_winner(make_spec, recorder):
    spec = make_spec((HPO(trials=3, repeats=2, space=SPACE), Recorder()), seed=4)
    fit(spec)
    *searched, final = recorder.seen
    assert len(searched) == 6
    for one in searched:
        used = np.concatenate([one.split.train, one.split.select, one.split.gate])
        assert not set(used) & set(spec.split.gate)
        assert one.seed >= FIRST_SEARCH_SEED
        assert one.folder is None
    assert final.split == spec.split
    assert final.seed == 4


def test_the_gate_changes_nothing_in_what_is_chosen(make_spec, small_graphs, recorder):
    """Other labels in the gate part give the same winner, to the bit of its weights."""
    spec = make_spec((HPO(trials=3, space=SPACE), Recorder()))
    label = small_graphs.label.copy()
    label[spec.split.gate] = 1 - label[spec.split.gate]
    info = small_graphs.info
    other = replace(spec, graphs=replace(small_graphs, label=label, info=info))
    first, second = fit(spec), fit(other)
    assert not differences(first.state, second.state)
    assert first.notes == second.notes


# The winner --------------------------------------------------------------------------------


def test_what_is_trained_in_the_end_is_the_winner_and_says_so(make_spec, recorder):
    spec = make_spec((HPO(trials=4, space=SPACE), Recorder()))
    found = fit(spec)
    rate = recorder.seen[-1].settings.learning_rate
    assert rate in {one.settings.learning_rate for one in recorder.seen[:-1]}
    assert rate != spec.settings.learning_rate
    assert f"hpo: learning_rate={rate}: select F1" in found.notes[0]
    assert "the best of 4 trials" in found.notes[0]
    plain = fit(replace(spec, arm=(), settings=recorder.seen[-1].settings))
    assert not differences(found.state, plain.state)
    assert not differences(found.gate, plain.gate)


def test_by_default_it_searches_what_the_arm_has_in_place_of_the_lr_finder(make_spec):
    found = fit(make_spec("hpo[trials=1]+class_weights+weighted_sampler+focal_loss+lr_finder"))
    note = found.notes[0]
    for name in ("learning_rate=", "class_weights.multiplier=", "focal_loss.gamma="):
        assert name in note
    assert "in place of lr_finder" in note
    assert not any(one.startswith("lr_finder") for one in found.notes)
    alone = fit(make_spec("hpo[trials=1]")).notes[0]
    assert "class_weights" not in alone


def test_values_of_the_model_can_be_searched(make_spec):
    found = fit(make_spec((HPO(trials=1, space="hidden=8"),)))
    assert {8} < {size for value in found.state.values() for size in value.shape}


def test_another_value_of_the_arm_can_be_searched(make_spec, recorder):
    fit(make_spec((HPO(trials=2, space="swa.start=0..0.9"), Recorder(), *make_arm(parse("swa")))))
    starts = [one.start for spec in recorder.seen for one in spec.arm if one.name == "swa"]
    assert len(set(starts)) == 2


# Folder, resume, report ------------------------------------------------------------------------


def test_the_study_lies_in_the_runs_folder_and_a_resumed_run_searches_no_more(
    make_spec, recorder, tmp_path
):
    spec = make_spec((HPO(trials=2, space=SPACE), Recorder()), folder=tmp_path)
    first = fit(spec)
    assert (tmp_path / "search" / "study.journal").exists()
    assert (tmp_path / "last.pt").exists()
    recorder.seen.clear()
    second = fit(replace(spec, resume=True))
    assert len(recorder.seen) == 1
    assert not differences(first, second)
    recorder.seen.clear()
    fit(spec)
    assert len(recorder.seen) == 3  # not resumed: it begins anew


def test_plots_are_written_on_request(make_spec, tmp_path):
    found = fit(make_spec((HPO(trials=2, space=SPACE, report=True),), folder=tmp_path))
    assert (tmp_path / "search" / "report.html").exists()
    assert any("report.html" in note for note in found.notes)


def test_a_database_can_keep_the_study(make_spec, tmp_path):
    storage = f"sqlite:///{tmp_path}/study.db"
    fit(make_spec((HPO(trials=2, space=SPACE, storage=storage),)))
    assert (tmp_path / "study.db").exists()


# What it costs ---------------------------------------------------------------------------------


def test_the_search_counts_as_time_before_the_first_epoch(make_spec):
    found = fit(make_spec((HPO(trials=4, space=SPACE, pruner="none"),)))
    assert found.setup_seconds > 2 * sum(found.train_seconds)


def test_the_time_gate_times_the_whole_search_at_every_visit(make_spec, recorder, tmp_path):
    spec = make_spec((HPO(trials=3, space=SPACE, pruner="none"), Recorder()), folder=tmp_path)
    arm = TimedArm(spec, TimingSettings(warmup_epochs=0, epochs=1))
    for visit in (1, 2):
        times = arm.visit()
        assert len(recorder.seen) == 4 * visit
        assert len(times.epochs) == 1


# Refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ("hiden=8|16", "no value 'hiden'"),
        ("swa.start=0..1", "'swa' is not in this run"),
        ("learning_rate=2..1", "2 is not below 1"),
        ("recorder.x=1..2", "no field 'x'"),
        ("hpo.trials=1..2", "'hpo' is not in this run"),
    ],
)
def test_a_space_that_does_not_fit_is_named(make_spec, recorder, space, says):
    with pytest.raises(UsageError, match=says):
        fit(make_spec((HPO(space=space), Recorder())))


def test_features_that_wrap_the_fit_run_inside_and_are_not_searched(make_spec, monkeypatch):
    class Twice(Feature):
        name: ClassVar[str] = "twice"
        claim: ClassVar[Claim] = Claim.QUALITY
        times: int = Field(2, ge=1, description="fits")

        def around_fit(self, fit, spec):
            return [fit(spec) for _ in range(self.times)][-1]

    monkeypatch.setitem(FEATURES._entries, "twice", Twice)
    spec = make_spec((HPO(trials=1, space="twice.times=1..3"), Twice()))
    with pytest.raises(UsageError, match="wraps the whole fit"):
        fit(spec)


def test_it_stands_around_every_other_wrap():
    orders = [kind.order for name, kind in FEATURES if "around_fit" in kind.hooks()]
    assert HPO.order == min(orders)


def test_without_the_extra_it_says_how_to_install_it(make_spec, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "optuna" else find(name)
    )
    with pytest.raises(UsageError, match="'optuna', which is not installed"):
        fit(make_spec((HPO(),)))


def test_the_wilcoxon_pruner_wants_repeats():
    with pytest.raises(ValueError, match="repeats must be at least 5"):
        HPO(pruner="wilcoxon")


def test_its_key_changes_with_the_search_behind_it(monkeypatch):
    before = HPO.source_key()
    monkeypatch.setattr(Search, "source_key", staticmethod(lambda: "other"))
    assert HPO.source_key() != before


def test_it_goes_with_wilcoxon_and_repeats(make_spec):
    found = fit(make_spec((HPO(trials=2, repeats=5, pruner="wilcoxon", space=SPACE),), epochs=1))
    assert found.best_epoch == 0


@pytest.mark.parametrize("other", ["swa", "amp", "param_groups", "tensorboard", "lr_finder"])
def test_it_goes_with_the_other_features(other):
    assert check_pair("hpo[trials=2]", other, models=["gcn"])
