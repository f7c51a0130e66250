"""A search: what it trains on, what it finds, how it is shared, interrupted and gone on with."""

from __future__ import annotations

import importlib.util
import threading
import time
from typing import ClassVar

import numpy as np
import pytest

pytest.importorskip("optuna", reason="the extra hpo is not installed")

import optuna
from optuna.trial import TrialState

from harness.errors import NotMeasuredError, UsageError
from harness.feature import FEATURES, Claim, Feature
from harness.matrix.plan import FIRST_SEARCH_SEED
from harness.training.fit import fit
from harness.tuning import storage
from harness.tuning.alive import Workers
from harness.tuning.search import Search
from harness.tuning.study import Study


class KilledError(BaseException):
    """What a process that is killed leaves behind: nothing is caught, nothing is told."""


def peak(spec):
    """F1 with a maximum of 0.9 at a learning rate of 0.01."""
    return 0.9 - 0.2 * abs(np.log10(spec.settings.learning_rate) + 2)


def drawn(study):
    return [trial.params for trial in study.trials() if trial.state.is_finished()]


# What it does --------------------------------------------------------------------------------


def test_it_finds_the_peak(make_spec, made_up, search):
    won = search(trials=40, pruner="none").run(make_spec(), made_up(peak))
    assert won.value > 0.88
    assert 0.006 < won.values["learning_rate"] < 0.016
    assert won.spec.settings.learning_rate == won.values["learning_rate"]
    assert (won.done, won.pruned, won.failed) == (40, 0, 0)
    assert f"learning_rate={won.values['learning_rate']}" in won.sentence


def test_it_trains_on_seeds_and_splits_of_its_own_and_writes_nothing(
    make_spec, made_up, search, tmp_path
):
    spec = make_spec(seed=3, folder=tmp_path / "run", cache=tmp_path / "cache", resume=True)
    specs = []
    search(trials=2, repeats=2, pruner="none").run(spec, made_up(peak, specs=specs))
    first = FIRST_SEARCH_SEED + 300
    assert [one.seed for one in specs] == [first, first + 1] * 2
    for one in specs:
        assert (one.folder, one.cache, one.resume) == (None, None, False)
        assert np.array_equal(one.split.gate, one.split.select)
    assert not np.array_equal(specs[0].split.select, specs[1].split.select)
    assert list(tmp_path.iterdir()) == []


def test_the_winner_keeps_seed_split_and_folder_of_the_run(make_spec, made_up, search, tmp_path):
    spec = make_spec(seed=3, folder=tmp_path, resume=True)
    won = search(trials=2).run(spec, made_up(peak))
    assert (won.spec.seed, won.spec.split, won.spec.folder) == (3, spec.split, tmp_path)
    assert won.spec.resume


def test_a_trial_is_judged_by_its_mean_over_the_seeds(make_spec, made_up, search):
    scores = iter([0.2, 0.4, 0.5, 0.7])
    won = search(trials=2, repeats=2, pruner="none").run(
        make_spec(), made_up(lambda spec: next(scores))
    )
    assert won.value == pytest.approx(0.6)
    assert won.number == 1


def test_of_equals_the_first_wins(make_spec, made_up, search):
    assert search(trials=4).run(make_spec(), made_up(lambda spec: 0.5)).number == 0


def test_a_collapsed_run_counts_as_nothing(make_spec, made_up, search):
    won = search(trials=2).run(make_spec(), made_up(peak, collapse="one_class"))
    assert won.value == 0
    assert won.sentence.endswith("all collapsed")


def test_the_same_search_draws_the_same(make_spec, made_up, search):
    found = []
    for _ in range(2):
        study = Study.open(search(trials=9), make_spec())
        study.work(made_up(peak))
        found.append(drawn(study))
    assert found[0] == found[1]
    assert len({trial["learning_rate"] for trial in found[0]}) == 9
    other = Study.open(search(trials=1), make_spec(seed=1))
    other.work(made_up(peak))
    assert drawn(other)[0] != found[0][0]


def test_the_librarys_verbosity_is_as_before(make_spec, made_up, search, capfd):
    before = optuna.logging.get_verbosity()
    search(trials=2).run(make_spec(), made_up(peak))
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr().err == ""


# Pruning -------------------------------------------------------------------------------------


def test_the_median_pruner_stops_trials_below_the_median_of_their_epoch(make_spec, made_up, search):
    specs = []
    study = Study.open(search(trials=12), make_spec(epochs=6))
    study.work(made_up(lambda spec: 0.9 - 0.05 * len(specs), specs=specs))
    states = [trial.state for trial in study.trials()]
    assert states[:5] == [TrialState.COMPLETE] * 5
    assert TrialState.PRUNED in states[5:]
    pruned = next(trial for trial in study.trials() if trial.state == TrialState.PRUNED)
    assert max(pruned.intermediate_values) < 5


def test_the_wilcoxon_pruner_stops_trials_that_lose_seed_by_seed(make_spec, made_up, search):
    specs = []
    study = Study.open(search(trials=4, repeats=8, pruner="wilcoxon"), make_spec(epochs=1))
    study.work(made_up(lambda spec: 0.9 if len(specs) <= 8 else 0.5, specs=specs))
    states = [trial.state for trial in study.trials()]
    assert states == [TrialState.COMPLETE] + [TrialState.PRUNED] * 3
    assert len(study.trials()[1].intermediate_values) == 4  # p = 1/16, the first below 0.1


def test_the_wilcoxon_pruner_wants_seeds_to_compare():
    with pytest.raises(ValueError, match="repeats must be at least 5"):
        Search(space="hidden=8|16", pruner="wilcoxon", repeats=4)


def test_epochs_of_runs_of_several_fits_are_not_compared(make_spec, made_up, search):
    class Twice(Feature):
        name: ClassVar[str] = "twice"
        claim: ClassVar[Claim] = Claim.QUALITY

        def around_fit(self, fit, spec):
            fit(spec)
            return fit(spec)

    spec = make_spec((Twice(),))
    FEATURES._entries["twice"] = Twice
    try:
        study = Study.open(search(trials=2), spec)
        study.work(made_up(peak))
    finally:
        del FEATURES._entries["twice"]
    assert [trial.intermediate_values for trial in study.trials()] == [{}, {}]


# Failures ------------------------------------------------------------------------------------


def test_values_that_cannot_be_trained_cost_a_trial_and_are_recorded(make_spec, search):
    study = Study.open(
        search(space="heads=3|4", trials=10), make_spec(model="gat[hidden=8]", epochs=1)
    )
    study.work(fit)
    won = study.winner()
    assert won.values == {"heads": 4}
    assert won.failed > 0
    assert won.done + won.pruned + won.failed == 10
    failed = next(trial for trial in study.trials() if trial.state == TrialState.FAIL)
    assert "no multiple of heads" in failed.user_attrs["error"]


def test_a_search_in_which_nothing_can_be_trained_ends_soon_and_says_why(make_spec, search):
    def broken(spec):
        raise RuntimeError("nothing goes")

    study = Study.open(search(trials=50), make_spec())
    with pytest.raises(NotMeasuredError, match=r"none of 3 trials .*RuntimeError: nothing goes"):
        study.work(broken)


def test_without_time_for_one_trial_there_is_no_winner(make_spec, made_up, search):
    with pytest.raises(NotMeasuredError, match="no trial was finished"):
        search(timeout=1e-9).run(make_spec(), made_up(peak))


def test_no_trial_is_begun_after_the_time_is_over(make_spec, made_up, search):
    def slow(spec):
        time.sleep(0.3)
        return 0.5

    won = search(trials=50, timeout=0.7).run(make_spec(), made_up(slow))
    assert 1 <= won.done <= 4


def test_without_the_extra_it_says_how_to_install_it(make_spec, made_up, search, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "optuna" else find(name)
    )
    with pytest.raises(UsageError) as caught:
        search().run(make_spec(), made_up(peak))
    assert "'optuna', which is not installed" in caught.value.what
    assert "gnn-ablation-harness[hpo]" in caught.value.mend


# Stopped, gone on with, shared ---------------------------------------------------------------


def killed_after(fits, fit):
    """A fit that ends like a killed process after so many."""
    count = 0

    def call(spec):
        nonlocal count
        count += 1
        if count > fits:
            raise KilledError
        return fit(spec)

    return call


@pytest.mark.parametrize("fits", [0, 1, 4, 7])
def test_a_killed_search_goes_on_and_draws_what_an_undisturbed_one_draws(
    make_spec, made_up, search, tmp_path, fits
):
    whole = Study.open(search(trials=9), make_spec(), folder=tmp_path / "whole")
    whole.work(made_up(peak))
    study = Study.open(search(trials=9), make_spec(), folder=tmp_path / "cut")
    with pytest.raises(KilledError):
        study.work(killed_after(fits, made_up(peak)))
    before = drawn(study)
    again = Study.open(search(trials=9), make_spec(), folder=tmp_path / "cut")
    again.work(made_up(peak))
    kept = [trial for trial in again.trials() if trial.state != TrialState.FAIL]
    assert [trial.params for trial in kept] == drawn(whole)
    assert [trial.params for trial in kept][: len(before)] == before
    assert again.winner().values == whole.winner().values
    assert again.winner().failed == 0


def test_a_finished_search_trains_nothing_and_more_trials_go_on(
    make_spec, made_up, search, tmp_path
):
    search(trials=3).run(make_spec(), made_up(peak), folder=tmp_path)
    specs = []
    search(trials=3).run(make_spec(), made_up(peak, specs=specs), folder=tmp_path)
    assert specs == []
    won = search(trials=5).run(make_spec(), made_up(peak, specs=specs), folder=tmp_path)
    assert len(specs) == 2
    assert won.done == 5


def test_anew_forgets_what_was_found(make_spec, made_up, search, tmp_path):
    search(trials=3).run(make_spec(), made_up(peak), folder=tmp_path)
    specs = []
    search(trials=3).run(make_spec(), made_up(peak, specs=specs), folder=tmp_path, anew=True)
    assert len(specs) == 3


def test_two_workers_share_the_trials_and_make_no_more_than_wanted(
    make_spec, made_up, search, tmp_path
):
    def slow(spec):
        time.sleep(0.02)
        return peak(spec)

    specs = ([], [])
    errors = []

    def work(mine):
        try:
            search(trials=12, pruner="none").run(
                make_spec(), made_up(slow, specs=mine), folder=tmp_path
            )
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in specs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(specs[0]) + len(specs[1]) == 12
    assert min(map(len, specs)) > 0
    study = Study.open(search(trials=12, pruner="none"), make_spec(), folder=tmp_path)
    assert study.winner().done == 12


def test_a_trial_of_a_living_worker_is_left_alone(make_spec, made_up, search, tmp_path):
    study = Study.open(search(trials=2), make_spec(), folder=tmp_path)
    other = Workers(tmp_path / "study.journal.workers")
    with other.present():
        trial = study.optuna.ask()
        trial.set_user_attr("worker", other.me)
        study._begin_again_what_was_lost()
        assert study.trials()[0].state == TrialState.RUNNING
    study._begin_again_what_was_lost()
    assert study.trials()[0].state == TrialState.FAIL


def test_another_question_is_another_study(make_spec, made_up, search, tmp_path):
    names = {
        search(**more).run(make_spec(**spec), made_up(peak), folder=tmp_path).study
        for more, spec in [
            ({"trials": 1}, {}), ({"trials": 2}, {}), ({"repeats": 2}, {}), ({}, {"epochs": 5}),
            ({"pruner": "none"}, {}), ({"space": "learning_rate=1e-3..1e-2"}, {}),
            ({}, {"model": "gin"}), ({}, {"arm": "focal_loss"}), ({}, {"seed": 1}),
        ]
    }  # fmt: skip
    assert len(names) == 8  # the number of trials is no part of the question


def test_a_study_of_that_name_that_searches_something_else_is_refused(
    make_spec, made_up, search, tmp_path
):
    search(trials=1, study="mine").run(make_spec(), made_up(peak), folder=tmp_path)
    with pytest.raises(UsageError, match="searches something else: model is 'gcn' there") as caught:
        search(trials=1, study="mine").run(make_spec(model="gin"), made_up(peak), folder=tmp_path)
    assert "study 'mine'" in caught.value.where
    assert "--study" in caught.value.mend


def test_a_database_is_shared_and_gone_on_with(make_spec, made_up, search, tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    search(trials=2, storage=url).run(make_spec(), made_up(peak))
    specs = []
    won = search(trials=3, storage=url).run(make_spec(), made_up(peak, specs=specs))
    assert len(specs) == 1
    assert (won.done, won.where) == (3, url)


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")  # of ask() outside of a search
def test_a_database_gives_up_a_worker_without_heartbeat(
    make_spec, made_up, search, tmp_path, monkeypatch
):
    monkeypatch.setattr(storage, "HEARTBEAT_SECONDS", 1)
    monkeypatch.setattr(storage, "GRACE_SECONDS", 1)
    asked = search(trials=2, storage=f"sqlite:///{tmp_path}/study.db")
    study = Study.open(asked, make_spec())
    lost = study.optuna.ask()
    lost.set_user_attr("worker", "f" * 32)
    study.optuna._storage.record_heartbeat(lost._trial_id)
    specs = []
    won = asked.run(make_spec(), made_up(peak, specs=specs))  # waits for the lost one, then trains
    assert len(specs) == won.done == 2
