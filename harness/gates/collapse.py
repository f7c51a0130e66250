"""The collapse gate: a feature that makes a run collapse even once has failed."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scipy import special

from harness.gates.inputs import GateInputError
from harness.gates.words import Json, Lean, Verdict, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

CLEAN_RUNS: Final = 10
MOST_BASELINE_COLLAPSES: Final = 1

NOT_FINITE: Final = "loss not finite"
ONE_CLASS: Final = "one class"
PARTIAL: Final = "partial"

_CONFIDENCE = 0.95
_PARTIAL_SHARE = 0.5


@dataclass(frozen=True)
class Outcome:
    """How one run ended.

    Attributes:
        seed: its seed.
        collapsed: the rule by which training saw it collapse, such as `NOT_FINITE` or
            `ONE_CLASS`; None if it did not.
        f1: F1 on the gate part; None if the run gave none.
    """

    seed: int
    collapsed: str | None = None
    f1: float | None = None


def partial_collapses(outcomes: Sequence[Outcome], baseline: Sequence[Outcome]) -> list[Outcome]:
    """Mark runs whose gate F1 is below half the baseline arm's median as collapsed too.

    Left in as ordinary pairs, such baseline runs would lift a worthless feature over the margin.
    """
    known = [run.f1 for run in baseline if run.collapsed is None and run.f1 is not None]
    if not known:
        return list(outcomes)
    least = _PARTIAL_SHARE * statistics.median(known)
    return [
        Outcome(run.seed, PARTIAL, run.f1)
        if run.collapsed is None and run.f1 is not None and run.f1 < least
        else run
        for run in outcomes
    ]


def probability_bound(collapses: int, runs: int) -> float:
    """Upper 95 % bound of the collapse probability after ``collapses`` in ``runs`` runs.

    Exact for binomial counts; 1 - 0.05^(1/n) for none in n.

    Source: Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 26, 1934.
    """
    if collapses >= runs:
        return 1.0
    return float(special.betaincinv(collapses + 1, runs - collapses, _CONFIDENCE))


@dataclass(frozen=True)
class CollapseResult:
    """The collapse gate's answer.

    Attributes:
        verdict: FAIL at the first collapsed candidate run, PASS from ten clean ones on.
        invalid_baseline: whether two of the first ten baseline runs collapsed; the cell is then
            INCONCLUSIVE whatever its other gates say.
        candidate: the candidate's runs that were read, partial collapses marked.
        baseline: the baseline's runs, partial collapses marked.
        usable: seeds whose pair may enter the F1 gate, in order: both runs are there and clean.
        dropped: seeds left out because their baseline run collapsed; each needs a fresh seed.
    """

    verdict: Verdict
    invalid_baseline: bool
    candidate: tuple[Outcome, ...]
    baseline: tuple[Outcome, ...]
    usable: tuple[int, ...]
    dropped: tuple[int, ...]

    @property
    def open(self) -> bool:
        """Whether another run could still decide."""
        return self.verdict is Verdict.INCONCLUSIVE and not self.invalid_baseline

    @property
    def collapsed(self) -> tuple[Outcome, ...]:
        """The candidate's collapsed runs."""
        return tuple(run for run in self.candidate if run.collapsed is not None)

    @property
    def clean(self) -> int:
        """Number of the candidate's clean runs."""
        return len(self.candidate) - len(self.collapsed)

    @property
    def discordant(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Seeds at which the candidate alone collapsed, and at which the baseline alone did."""
        ours = {run.seed: run.collapsed is not None for run in self.baseline}
        both = [(run.seed, run.collapsed is not None) for run in self.candidate if run.seed in ours]
        return (
            tuple(seed for seed, bad in both if bad and not ours[seed]),
            tuple(seed for seed, bad in both if ours[seed] and not bad),
        )

    @property
    def bound_sentence(self) -> str:
        """What the candidate's runs say about the probability of a collapse."""
        runs, collapses = len(self.candidate), len(self.collapsed)
        if not runs:
            return "no run yet"
        percent = f"{100 * probability_bound(collapses, runs):.1f} %"
        return f"{collapses} of {runs}: collapse probability below {percent} with 95 % confidence"

    @property
    def sentence(self) -> str:
        """The answer with its numbers, in one plain sentence."""
        if self.invalid_baseline:
            seeds = ", ".join(str(run.seed) for run in self.baseline if run.collapsed is not None)
            return (
                f"{self.verdict}: INVALID BASELINE, the baseline itself collapsed at seeds "
                f"{seeds}; mend the baseline before judging a feature on it"
            )
        if self.verdict is Verdict.FAIL:
            first = self.collapsed[0]
            base = next((run for run in self.baseline if run.seed == first.seed), None)
            beside = "not known" if base is None else base.collapsed or "clean"
            return (
                f"{self.verdict} after {counted(len(self.candidate), 'run')}: the candidate "
                f"collapsed at seed {first.seed} ({first.collapsed}), "
                f"the baseline beside it: {beside}"
            )
        short = "" if self.verdict is Verdict.PASS else f"{self.clean} of {CLEAN_RUNS} clean runs, "
        dropped = f"; left out, baseline collapsed: {', '.join(map(str, self.dropped))}"
        return f"{self.verdict}: {short}{self.bound_sentence}{dropped if self.dropped else ''}"

    def to_json(self) -> dict[str, Json]:
        """The answer as JSON data."""
        runs, collapses = len(self.candidate), len(self.collapsed)
        alone, beside = self.discordant
        return {
            "verdict": self.verdict.value,
            "n": runs,
            "mean": collapses / runs if runs else None,
            "se": None,
            "lower": None,
            "upper": probability_bound(collapses, runs) if runs else None,
            "lean": Lean.OPEN.value if self.verdict is Verdict.INCONCLUSIVE else None,
            "more": self._more(),
            "clean": self.clean,
            "invalid_baseline": self.invalid_baseline,
            "collapsed": {str(run.seed): run.collapsed for run in self.collapsed},
            "baseline_collapsed": {
                str(run.seed): run.collapsed for run in self.baseline if run.collapsed is not None
            },
            "candidate_alone": list(alone),
            "baseline_alone": list(beside),
            "dropped": list(self.dropped),
            "sentence": self.sentence,
        }

    def _more(self) -> int | None:
        if self.invalid_baseline:
            return None
        return max(0, CLEAN_RUNS - self.clean) if self.verdict is Verdict.INCONCLUSIVE else 0


def judge_collapse(candidate: Sequence[Outcome], baseline: Sequence[Outcome]) -> CollapseResult:
    """Put the collapse question to the runs of one cell.

    Runs count in the order of the plan. Whatever comes first decides: a collapsed candidate run
    (FAIL, later ones are not read), or the second collapse among the first ten baseline runs
    (INVALID BASELINE). A pair whose baseline collapsed stays out of the F1 gate and is replaced
    by one with a fresh seed; its candidate run still counts here.

    Args:
        candidate: the candidate's runs in the order of the plan.
        baseline: the baseline's runs in the order of the plan; may hold more seeds.

    Raises:
        GateInputError: if a seed is used twice in one arm.
    """
    for name, runs in (("candidate", candidate), ("baseline", baseline)):
        if len({run.seed for run in runs}) != len(runs):
            raise GateInputError("a seed is used twice", where=name)
    ours = partial_collapses(baseline, baseline)
    theirs = partial_collapses(candidate, baseline)
    bad = {run.seed for run in ours if run.collapsed is not None}
    place = {run.seed: position for position, run in enumerate(ours)}

    early = [run.seed for run in ours[:CLEAN_RUNS] if run.seed in bad]
    invalid_from = len(ours)
    if len(early) > MOST_BASELINE_COLLAPSES:
        invalid_from = place[early[MOST_BASELINE_COLLAPSES]]

    first = next((k for k, run in enumerate(theirs) if run.collapsed is not None), None)
    failed = first is not None and place.get(theirs[first].seed, first) < invalid_from
    invalid = invalid_from < len(ours) and not failed
    read = theirs[: first + 1] if failed and first is not None else theirs
    clean = sum(run.collapsed is None for run in read)
    if failed:
        verdict = Verdict.FAIL
    elif invalid or clean < CLEAN_RUNS:
        verdict = Verdict.INCONCLUSIVE
    else:
        verdict = Verdict.PASS
    usable = [run.seed for run in read if run.collapsed is None and run.seed in place]
    return CollapseResult(
        verdict=verdict,
        invalid_baseline=invalid,
        candidate=tuple(read),
        baseline=tuple(ours),
        usable=tuple(seed for seed in usable if seed not in bad),
        dropped=tuple(run.seed for run in read if run.seed in bad),
    )
