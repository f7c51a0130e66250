"""A study: the trials of one search, shared by everyone who works on it."""

from __future__ import annotations

import math
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import fail_stale_trials
from optuna.trial import TrialState

from harness.errors import NotMeasuredError, UsageError
from harness.hashing import content_key
from harness.matrix.spec import source_keys
from harness.training.configuration import configuration, differences
from harness.tuning.knobs import Space, bind
from harness.tuning.objective import Objective
from harness.tuning.sampler import ERROR, STARTUP, WORKER, ResumableTPE, counts
from harness.tuning.search import Pruner, Search, Winner
from harness.tuning.seeds import search_seeds, search_split
from harness.tuning.storage import Storage, open_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial, Trial

    from harness.graphs.splits import Split
    from harness.result import FitResult, FitSpec

QUESTION = "question"
POLL_SECONDS = 0.2
FEWEST_TRIED = 3
LONGEST_ERROR = 500
UNCLAIMED_SECONDS = 60
WARMUP_SHARE = 1 / 3
P_THRESHOLD = 0.1


class SurplusError(Exception):
    """The study has enough trials without this one."""


@dataclass(frozen=True)
class Study:
    """A study that is open.

    Attributes:
        search: what is asked.
        spec: the run whose values are searched.
        space: what is searched.
        splits: of each of the search's seeds.
        storage: where it is kept.
        optuna: the library's object.
    """

    search: Search
    spec: FitSpec
    space: Space
    splits: dict[int, Split]
    storage: Storage
    optuna: optuna.Study

    @classmethod
    def open(
        cls,
        search: Search,
        spec: FitSpec,
        *,
        folder: Path | None = None,
        within: NDArray[np.int64] | None = None,
        outside: Collection[str] = (),
        anew: bool = False,
    ) -> Study:
        """Open a study, made if it is not there; the arguments are those of ``Search.run``.

        Raises:
            UsageError: if the space does not fit the run, the storage cannot be used, or a study
                of this name searches something else.
            DataError: if the data cannot be split, or the journal is damaged.
        """
        space = bind(search.space, spec, outside)
        seeds = search_seeds(spec.seed, search.repeats)
        splits = {seed: search_split(spec.graphs, seed, within) for seed in seeds}
        asked = question(search, spec, space, within)
        name = search.study or f"search-{content_key(asked, length=12)}"
        storage = open_storage(search.storage, folder)
        try:
            with quiet():
                if anew and name in optuna.get_all_study_names(storage.optuna):
                    optuna.delete_study(study_name=name, storage=storage.optuna)
                study = optuna.create_study(
                    storage=storage.optuna,
                    study_name=name,
                    direction="maximize",
                    load_if_exists=True,
                    sampler=ResumableTPE(spec.seed),
                    pruner=_pruner(search.pruner, spec.settings.epochs),
                )
            _check_question(study, asked, storage.where)
        except BaseException:
            storage.close()
            raise
        return cls(search, spec, space, splits, storage, study)

    def work(self, fit: Callable[[FitSpec], FitResult]) -> None:
        """Train trials until the study has enough, with whoever else does.

        Raises:
            DataError: if the journal is damaged.
            NotMeasuredError: if the first trials all failed.
        """
        train = Objective(self.spec, self.space, self.search.pruner, self.splits, fit)
        deadline = time.monotonic() + (self.search.timeout or math.inf)

        def objective(trial: Trial) -> float:
            trial.set_user_attr(WORKER, self.storage.workers.me)
            if sum(map(counts_or_runs, self.trials()[: trial.number])) >= self.search.trials:
                raise SurplusError
            try:
                return train(trial)
            except optuna.TrialPruned:
                raise
            except Exception as error:
                trial.set_user_attr(ERROR, _one_line(error))
                raise

        with quiet(), self.storage.workers.present():
            while self._may_begin(deadline):
                self.optuna.optimize(objective, n_trials=1, catch=(Exception,))

    def trials(self) -> list[FrozenTrial]:
        """All trials, by number."""
        return self.optuna.get_trials(deepcopy=False)

    def winner(self) -> Winner:
        """The best trial that was trained to the end; of equals the first.

        Raises:
            NotMeasuredError: if there is none.
        """
        trials = self.trials()
        done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        failed = [trial for trial in trials if counts(trial) and trial.state == TrialState.FAIL]
        if not done:
            raise self._nothing(failed)
        best = max(done, key=lambda trial: (trial.value or 0.0, -trial.number))
        values = self.space.read(best.params)
        ended = [trial.duration for trial in trials if counts(trial)]
        return Winner(
            spec=self.space.apply(self.spec, values),
            values=values,
            value=best.value or 0.0,
            number=best.number,
            done=len(done),
            pruned=sum(trial.state == TrialState.PRUNED for trial in trials),
            failed=len(failed),
            dropped=self.space.dropped,
            seconds=sum(each.total_seconds() for each in ended if each is not None),
            study=self.optuna.study_name,
            where=self.storage.where,
        )

    def _may_begin(self, deadline: float) -> bool:
        """Wait until a trial is wanted, or none will be."""
        while time.monotonic() < deadline:
            self._begin_again_what_was_lost()
            trials = self.trials()
            used = [trial for trial in trials if counts(trial)]
            if len(used) >= FEWEST_TRIED and all(one.state == TrialState.FAIL for one in used):
                raise self._nothing(used)
            running = sum(trial.state == TrialState.RUNNING for trial in trials)
            if len(used) + running < self.search.trials:
                return True
            if not running:
                return False
            time.sleep(POLL_SECONDS)
        return False

    def _begin_again_what_was_lost(self) -> None:
        """Mark trials whose worker is gone, so that others are begun in their place."""
        if self.storage.heartbeats:
            fail_stale_trials(self.optuna)
        for trial in self.trials():
            if trial.state == TrialState.RUNNING and self._lost(trial):
                try:
                    self.optuna.tell(trial.number, state=TrialState.FAIL)
                except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
                    continue  # another worker was faster

    def _lost(self, trial: FrozenTrial) -> bool:
        if WORKER in trial.user_attrs:
            return self.storage.workers.gone(trial.user_attrs[WORKER])
        # Killed between the trial's beginning and its first attribute, or not yet so far.
        begun = trial.datetime_start
        age = 0.0 if begun is None else time.time() - begun.timestamp()
        return age > UNCLAIMED_SECONDS

    def _nothing(self, failed: list[FrozenTrial]) -> NotMeasuredError:
        if failed:
            return NotMeasuredError(
                f"none of {len(failed)} trials could be trained: {failed[0].user_attrs[ERROR]}",
                where=f"study '{self.optuna.study_name}' in {self.storage.where}",
                mend="search other values, or mend what the message says",
            )
        return NotMeasuredError(
            "no trial was finished",
            where=f"study '{self.optuna.study_name}' in {self.storage.where}",
            mend="give it more time: a search goes on where it was",
        )


def counts_or_runs(trial: FrozenTrial) -> bool:
    """Whether a trial has used up one of the search's, or is about to."""
    return counts(trial) or trial.state == TrialState.RUNNING


def question(
    search: Search, spec: FitSpec, space: Space, within: NDArray[np.int64] | None
) -> dict[str, Any]:
    """What a study searches, as plain values: trials of the same question can be compared."""
    return {
        **configuration(spec),
        "space": str(space),
        "repeats": search.repeats,
        "pruner": search.pruner.value,
        "within": None if within is None else content_key(within.tolist()),
        "sources": source_keys(spec.model, spec.arm),
        "code": Search.source_key(),
    }


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the library from printing, and its verbosity as it was."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def _check_question(study: optuna.Study, asked: dict[str, Any], where: str) -> None:
    stored = study.user_attrs.get(QUESTION)
    if stored is None:
        study.set_user_attr(QUESTION, asked)
        return
    found = differences(stored, asked)
    if found:
        more = f"; and {len(found) - 1} more" if len(found) > 1 else ""
        raise UsageError(
            f"this study searches something else: {found[0]}{more}",
            where=f"study '{study.study_name}' in {where}",
            mend="give this search another --study, or none",
        )


def _pruner(kind: Pruner, epochs: int) -> BasePruner:
    if kind is Pruner.MEDIAN:
        return optuna.pruners.MedianPruner(
            n_startup_trials=STARTUP, n_warmup_steps=max(1, round(epochs * WARMUP_SHARE))
        )
    if kind is Pruner.WILCOXON:
        return optuna.pruners.WilcoxonPruner(p_threshold=P_THRESHOLD)
    return optuna.pruners.NopPruner()


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_ERROR]
