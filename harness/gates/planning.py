"""What a design can find, before anything is trained: fixed sizes and simulated power."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.gates.inputs import GateInputError, finite_number, whole_number
from harness.gates.sequential import decide
from harness.gates.tables import FIRST_FAIL, MOST_PAIRS
from harness.gates.words import Json, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.gates.sequential import Decision

_LEVEL = 0.05
_POWER = 0.8
# A t test needs about this many pairs more than the normal formula says (z^2 / 2 at 5 %).
_FOR_T = 1.35
_MOST_GATES = 10**6

SIMULATED_GATES: Final = 4000


@dataclass(frozen=True)
class Rates:
    """How many simulated gates ended how.

    Attributes:
        passed: share of PASS.
        failed: share of FAIL.
        median_pairs: median number of pairs until the end.
        mean_pairs: mean number of pairs until the end.
        gates: number of simulated gates.
    """

    passed: float
    failed: float
    median_pairs: float
    mean_pairs: float
    gates: int

    @classmethod
    def of(cls, decisions: Sequence[Decision]) -> Rates:
        """Count decisions."""
        verdicts = [decision.verdict for decision in decisions]
        pairs = np.array([decision.n for decision in decisions])
        return cls(
            verdicts.count(Verdict.PASS) / len(verdicts),
            verdicts.count(Verdict.FAIL) / len(verdicts),
            float(np.median(pairs)),
            float(pairs.mean()),
            len(verdicts),
        )


@dataclass(frozen=True)
class Power:
    """What the sequential design makes of one true difference.

    Attributes:
        true: the true mean difference.
        sd: standard deviation of a pair's difference.
        margin: what the mean must exceed.
        budget: pairs after which the test stops undecided.
        rates: how the simulated gates ended.
    """

    true: float
    sd: float
    margin: float
    budget: int
    rates: Rates

    @property
    def sentence(self) -> str:
        """The power in one plain sentence; differences in points of F1."""
        return (
            f"true {100 * self.true:+g} points at sd {self.sd:g} passes in "
            f"{100 * self.rates.passed:.0f} % within {self.budget} pairs"
        )

    def to_json(self) -> dict[str, Json]:
        """The power as JSON data."""
        return {
            "true": self.true,
            "sd": self.sd,
            "margin": self.margin,
            "budget": self.budget,
            "passed": self.rates.passed,
            "failed": self.rates.failed,
            "median_pairs": self.rates.median_pairs,
            "gates": self.rates.gates,
            "sentence": self.sentence,
        }


def fixed_pairs(sd: float, gap: float) -> int:
    """Pairs that a fixed one-sided 5 % t test needs to see ``gap`` with 80 % power.

    n = ceil((1.645 + 0.842)^2 (sd / gap)^2 + 1.35).

    Raises:
        GateInputError: if ``sd`` is negative or ``gap`` is 0.
    """
    sd, gap = finite_number(sd, "sd", least=0.0), finite_number(gap, "gap")
    if gap == 0:
        raise GateInputError("no number of pairs sees a difference of 0", where="gap")
    z = NormalDist().inv_cdf(1 - _LEVEL) + NormalDist().inv_cdf(_POWER)
    return math.ceil((z * sd / gap) ** 2 + _FOR_T)


def power(
    true: float,
    sd: float,
    *,
    rng: np.random.Generator,
    margin: float = 0.02,
    budget: int = MOST_PAIRS,
    gates: int = SIMULATED_GATES,
) -> Power:
    """Simulate gates on normal differences through `decide` itself.

    Args:
        true: the true mean difference.
        sd: standard deviation of a pair's difference.
        rng: source of the differences.
        margin: what the mean must exceed.
        budget: pairs after which the test stops undecided, 3..20.
        gates: how many to simulate; 4,000 give the power to within 1.5 points.

    Raises:
        GateInputError: if a number is not finite, ``sd`` is negative or a count is out of range.
    """
    true, sd = finite_number(true, "true"), finite_number(sd, "sd", least=0.0)
    budget = whole_number(budget, "budget", FIRST_FAIL, MOST_PAIRS)
    gates = whole_number(gates, "gates", 1, _MOST_GATES)
    draws = rng.normal(true, sd, (gates, budget))
    decisions = [decide(row, margin, budget=budget) for row in draws]
    return Power(true, sd, margin, budget, Rates.of(decisions))
