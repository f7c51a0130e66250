"""TPE whose draws depend on what is finished and on nothing else, so a search can be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import TrialState

from harness.hashing import content_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

STARTUP = 5
"""Trials that are drawn at random before any is modelled or pruned."""

ERROR, WORKER = "error", "worker"
"""What a trial's attributes say: why it could not be trained, and who trains it."""


def counts(trial: FrozenTrial) -> bool:
    """Whether a trial has used up one of the search's: done, pruned, or impossible to train.

    One whose worker was killed has not; it is drawn again.
    """
    if trial.state == TrialState.FAIL:
        return ERROR in trial.user_attrs
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


class ResumableTPE(BaseSampler):
    """A new tree-structured Parzen estimator for each trial, seeded by the trial's place.

    The place is the number of trials before it that count or are under way. A trial that is begun
    again after a kill has the place, and so the values, of the one that was lost.

    Args:
        seed: of the search.

    Source: Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011; the
    estimator is Optuna's.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._tpe = TPESampler(seed=seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Seed the estimator for this trial."""
        earlier = study.get_trials(deepcopy=False)[: trial.number]
        place = sum(counts(one) or one.state == TrialState.RUNNING for one in earlier)
        seed = int(content_key([self._seed, place], length=8), 16)
        self._tpe = TPESampler(n_startup_trials=STARTUP, seed=seed)
        self._tpe.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """What is drawn together."""
        return self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw it."""
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw one by itself."""
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tell the estimator that the trial has ended."""
        self._tpe.after_trial(study, trial, state, values)
