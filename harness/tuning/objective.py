"""What one trial of a search does: train on each of the search's seeds, report, stop early."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from optuna import TrialPruned

from harness.feature import Claim, Feature
from harness.tuning.search import Pruner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optuna.trial import Trial

    from harness.graphs.splits import Split
    from harness.result import FitResult, FitSpec
    from harness.run import Run
    from harness.selection import Scalar
    from harness.tuning.knobs import Knob, Space


@dataclass(frozen=True)
class Objective:
    """The mean *select* F1 of a run over the search's seeds.

    Attributes:
        spec: the run whose values are searched.
        space: what is searched.
        pruner: what stops a trial early.
        splits: of each seed.
        fit: trains a spec.
    """

    spec: FitSpec
    space: Space
    pruner: Pruner
    splits: Mapping[int, Split]
    fit: Callable[[FitSpec], FitResult]

    def __call__(self, trial: Trial) -> float:
        """Draw values, train, and give the mean F1.

        Raises:
            TrialPruned: if the pruner stops the trial.
            HarnessError: if the values go together with nothing that can be trained.
        """
        drawn = {knob.name: _draw(trial, knob) for knob in self.space.knobs}
        spec = self.space.apply(self.spec, self.space.read(drawn))
        found: list[float] = []
        for place, (seed, split) in enumerate(self.splits.items()):
            arm = spec.arm
            if self._by_epoch(spec):
                arm = (*arm, _watch(trial, place * spec.settings.epochs))
            run = replace(
                spec, seed=seed, split=split, arm=arm, folder=None, cache=None, resume=False
            )
            found.append(f1_of(self.fit(run)))
            if self.pruner is Pruner.WILCOXON:
                trial.report(found[-1], place)
                _stop_if_asked(trial)
        return sum(found) / len(found)

    def _by_epoch(self, spec: FitSpec) -> bool:
        """Whether epochs are reported; those of several fits in one run would be mixed up."""
        whole = any("around_fit" in feature.hooks() for feature in spec.arm)
        return self.pruner is Pruner.MEDIAN and not whole


def f1_of(found: FitResult) -> float:
    """*select* F1 of the chosen epoch; 0 for a run that collapsed."""
    if found.collapse is not None or found.best_epoch < 0:
        return 0.0
    return found.history[found.best_epoch].f1


def _draw(trial: Trial, knob: Knob) -> Scalar:
    entry = knob.entry
    if entry.choices:
        chosen: Scalar = trial.suggest_categorical(knob.name, entry.choices)
        return chosen
    if knob.whole:
        step = 1 if entry.step is None else int(entry.step)
        return trial.suggest_int(
            knob.name, int(entry.low), int(entry.high), step=step, log=entry.log
        )
    return trial.suggest_float(knob.name, entry.low, entry.high, step=entry.step, log=entry.log)


def _stop_if_asked(trial: Trial) -> None:
    if trial.should_prune():
        raise TrialPruned


def _watch(trial: Trial, first: int) -> Feature:
    """An observer that reports each epoch's *select* F1, counted from ``first``.

    Its class is made for this trial, since a fit makes features anew and they keep nothing.
    """

    class Watch(Feature):
        """Report to the search."""

        name: ClassVar[str] = "search_trial"
        claim: ClassVar[Claim] = Claim.INSIGHT

        def on_evaluation_end(self, run: Run) -> None:
            trial.report(run.history[-1].f1, first + run.epoch)
            _stop_if_asked(trial)

    return Watch()
