"""The test behind every gate: paired differences, looked at after each pair, against a margin.

A feature that is clearly good or clearly bad is decided after a few pairs and a close one gets
more, up to the budget; the constants of `harness.gates.tables` keep the error of all looks
together at 5 % toward PASS and 10 % toward FAIL.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.gates.estimate import Estimate, estimate_of, shared_variances
from harness.gates.inputs import (
    GateInputError,
    finite_list,
    finite_matrix,
    finite_number,
    whole_number,
)
from harness.gates.needed import pairs_still_needed
from harness.gates.tables import C_FAIL, C_PASS, FIRST_FAIL, FIRST_PASS, MOST_PAIRS
from harness.gates.words import Json, Lean, Verdict, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Decision:
    """What the test says after the pairs it looked at.

    Attributes:
        verdict: PASS, FAIL or INCONCLUSIVE.
        n: pairs that were looked at; later ones were not read.
        mean: mean difference; None without pairs.
        se: standard error of the mean, over seeds and gate samples; None below 2 pairs.
        lower: one-sided bound toward PASS, above the margin if it passes; None below 5 pairs.
        upper: one-sided bound toward FAIL, below the margin if it fails; None below 3 pairs.
        lean: where an undecided test points; None once decided.
        more: pairs still needed for a decision with 80 % probability, were the mean the truth;
            0 once decided, None where no number can be given.
        more_50: the same for a probability of 50 %.
        more_reason: why ``more`` is None; empty otherwise.
        margin: what the mean was held against.
        budget: pairs after which the test stops undecided.
        sd: standard deviation of the differences, after the floor.
        v_cov: share of the mean's variance that pairs have in common through shared gate samples.
    """

    verdict: Verdict
    n: int
    mean: float | None
    se: float | None
    lower: float | None
    upper: float | None
    lean: Lean | None
    more: int | None
    more_50: int | None
    more_reason: str
    margin: float
    budget: int
    sd: float | None
    v_cov: float

    @property
    def open(self) -> bool:
        """Whether another pair could still decide: undecided, and the budget is not spent."""
        return self.verdict is Verdict.INCONCLUSIVE and self.n < self.budget

    @property
    def more_sentence(self) -> str:
        """How many pairs are still needed, in words; empty once decided."""
        if self.verdict is not Verdict.INCONCLUSIVE:
            return ""
        if self.more is not None:
            return f"about {counted(self.more, 'more pair')} would decide it with 80 % probability"
        return self.more_reason

    @property
    def sentence(self) -> str:
        """The answer with its numbers, in one plain sentence."""
        pairs = f"{self.verdict} after {counted(self.n, 'pair')}"
        if self.mean is None:
            return f"{pairs}: nothing to judge yet"
        mean = f"{pairs}: mean {self.mean:+.4g}"
        if self.verdict is Verdict.PASS and self.lower is not None:
            return f"{mean}, at least {self.lower:+.4g}, above the margin {self.margin:+.4g}"
        if self.verdict is Verdict.FAIL and self.upper is not None:
            return f"{mean}, at most {self.upper:+.4g}, below the margin {self.margin:+.4g}"
        lower = "unknown" if self.lower is None else f"{self.lower:+.4g}"
        upper = "unknown" if self.upper is None else f"{self.upper:+.4g}"
        return (
            f"{mean}, bounds {lower} to {upper}, margin {self.margin:+.4g} ({self.lean}); "
            f"{self.more_sentence}"
        )

    def to_json(self) -> dict[str, Json]:
        """The decision as JSON data."""
        return {
            "verdict": self.verdict.value,
            "n": self.n,
            "mean": self.mean,
            "se": self.se,
            "lower": self.lower,
            "upper": self.upper,
            "lean": None if self.lean is None else self.lean.value,
            "more": self.more,
            "more_50": self.more_50,
            "more_reason": self.more_reason,
            "margin": self.margin,
            "budget": self.budget,
            "sd": self.sd,
            "v_cov": self.v_cov,
            "sentence": self.sentence,
        }


def decide(
    differences: Sequence[float] | NDArray[np.floating],
    margin: float,
    contributions: ArrayLike | None = None,
    budget: int = 10,
    *,
    floor: float = 0.0,
    shared: Sequence[float] | None = None,
) -> Decision:
    """Look at the pairs in order, from the third on, and stop at the first decision.

    PASS at the first n >= 5 with mean - cP[n] SE > margin, FAIL at the first n >= 3 with
    mean + cF[n] SE < margin. SE^2 = sd^2 / n + V_cov, where V_cov = max(0, the sum over pairs
    k != l and samples i of c_ki c_li) / n^2 is what pairs share by sharing gate samples. Pairs
    after the decision, or beyond the budget, change nothing.

    Args:
        differences: ``[n]`` candidate less baseline, in the order of the plan.
        margin: what the true mean must exceed, in the unit of the differences.
        contributions: ``[n, samples or groups]`` what each gate sample contributed to each
            difference (c_ki, zero where sample i is not in gate k); None if pairs share no samples.
        budget: pairs after which the answer is INCONCLUSIVE, 3..20.
        floor: least standard deviation to believe; what one gate sample can change.
        shared: V_cov of the first 1, 2, ... pairs, where it is known already, in place of
            contributions: `harness.gates.estimate.shared_variances`.

    Raises:
        GateInputError: if a value is not finite, or a shape or the budget does not fit.

    Source: standard error, `harness.gates.estimate`; boundaries, `harness.gates.tables`.
    """
    trial = _Trial.read(differences, margin, contributions, budget, floor, shared)
    if trial.last < FIRST_FAIL:
        return _too_few(trial)
    looks = range(FIRST_FAIL, trial.last)
    decided = (n for n in looks if _answer(n, trial.gap(n)) is not Verdict.INCONCLUSIVE)
    return _look(trial, next(decided, trial.last))


def distances(
    differences: Sequence[float] | NDArray[np.floating],
    margin: float,
    contributions: ArrayLike | None = None,
    budget: int = 10,
    *,
    floor: float = 0.0,
) -> dict[int, float]:
    """How many standard errors the mean lies above the margin, at every look that may PASS.

    Unlike `decide` this does not stop; it is for tests at another level than 5 %. Arguments and
    errors are those of `decide`.
    """
    trial = _Trial.read(differences, margin, contributions, budget, floor)
    found = {}
    for n in range(FIRST_PASS, trial.last + 1):
        seen = trial.gap(n)
        zero = math.copysign(math.inf, seen.mean) if seen.mean else 0.0
        found[n] = seen.mean / seen.se if seen.se > 0 else zero
    return found


@dataclass(frozen=True, slots=True)
class _Trial:
    """Checked arguments of one test; gaps are differences less margin."""

    values: list[float]
    gaps: list[float]
    shared: list[float]
    margin: float
    budget: int
    floor: float

    @classmethod
    def read(
        cls,
        differences: Sequence[float] | NDArray[np.floating],
        margin: float,
        contributions: ArrayLike | None,
        budget: int,
        floor: float,
        known: Sequence[float] | None = None,
    ) -> _Trial:
        values = finite_list(differences, "differences")
        margin = finite_number(margin, "margin")
        floor = finite_number(floor, "floor", least=0.0)
        budget = whole_number(budget, "budget", FIRST_FAIL, MOST_PAIRS)
        last = min(len(values), budget)
        if known is not None:
            shared = _first(finite_list(known, "shared"), last)
        else:
            if contributions is not None:
                contributions = finite_matrix(contributions, "contributions", len(values))[:last]
            shared = shared_variances(contributions, last)
        # Sums are taken of gaps, so that differences equal to the margin leave exactly 0.
        gaps = [value - margin for value in values[:last]]
        return cls(values[:last], gaps, shared, margin, budget, floor)

    @property
    def last(self) -> int:
        return len(self.values)

    def gap(self, n: int) -> Estimate:
        return estimate_of(self.gaps[:n], self.shared[n - 1], self.floor)


def _first(shared: list[float], pairs: int) -> list[float]:
    if len(shared) < pairs:
        raise GateInputError(f"{len(shared)} for {pairs} pairs", where="shared")
    return shared[:pairs]


def _answer(n: int, gap: Estimate) -> Verdict:
    """What the look after n pairs says, of the mean less the margin."""
    c_pass = C_PASS.get(n)
    if c_pass is not None and gap.mean - c_pass * gap.se > 0:
        return Verdict.PASS
    return Verdict.FAIL if gap.mean + C_FAIL[n] * gap.se < 0 else Verdict.INCONCLUSIVE


def _look(trial: _Trial, n: int) -> Decision:
    seen = trial.gap(n)
    gap, se, margin = seen.mean, seen.se, trial.margin
    mean = math.fsum(trial.values[:n]) / n
    c_pass = C_PASS.get(n)
    lower = None if c_pass is None else mean - c_pass * se
    upper = mean + C_FAIL[n] * se
    verdict, lean = _answer(n, seen), None
    more: int | None = 0
    more_50: int | None = 0
    reason = ""
    if verdict is Verdict.INCONCLUSIVE:
        lean = _lean(gap, lower, upper, margin)
        more, reason = pairs_still_needed(n, gap, seen.sd, seen.v_cov, power=0.8)
        more_50, _ = pairs_still_needed(n, gap, seen.sd, seen.v_cov, power=0.5)
    return Decision(
        verdict=verdict,
        n=n,
        mean=mean,
        se=se,
        lower=lower,
        upper=upper,
        lean=lean,
        more=more,
        more_50=more_50,
        more_reason=reason,
        margin=margin,
        budget=trial.budget,
        sd=seen.sd,
        v_cov=seen.v_cov,
    )


def _too_few(trial: _Trial) -> Decision:
    n = trial.last
    seen = trial.gap(n) if n > 1 else None
    return Decision(
        verdict=Verdict.INCONCLUSIVE,
        n=n,
        mean=math.fsum(trial.values) / n if n else None,
        se=None if seen is None else seen.se,
        lower=None,
        upper=None,
        lean=Lean.OPEN,
        more=None,
        more_50=None,
        more_reason=f"the first look is after pair {FIRST_FAIL}",
        margin=trial.margin,
        budget=trial.budget,
        sd=None if seen is None else seen.sd,
        v_cov=0.0 if seen is None else seen.v_cov,
    )


def _lean(gap: float, lower: float | None, upper: float, margin: float) -> Lean:
    if gap > 0 and lower is not None and lower > 0:
        return Lean.LEAN_PASS
    if gap < 0 and upper < 2 * margin:
        return Lean.LEAN_FAIL
    return Lean.OPEN
