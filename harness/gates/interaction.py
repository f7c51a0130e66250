"""Whether two features need or hinder each other: what both give beyond what each gives alone.

With F1 of the four arms at seed k, neither, the first alone, the second alone and both, the
interaction is i_k = F1_both - F1_first - F1_second + F1_neither, which is d_both - d_first -
d_second. It is *reported*: no margin is asked of it, and it changes no verdict.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scipy import special

from harness.gates.estimate import estimate
from harness.gates.f1 import Contributions, Pair, contributions
from harness.gates.inputs import GateInputError
from harness.gates.tables import FIRST_FAIL
from harness.gates.words import Json, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.gates.estimate import Estimate
    from harness.gates.f1 import Predictions

CONFIDENCE: Final = 0.95
FIRST_INTERVAL: Final = FIRST_FAIL
"""Seeds from which on an interval is given: with fewer a spread is hardly known."""


@dataclass(frozen=True, eq=False)
class Four:
    """Four runs with the same seed: same split, same initialisation seed.

    Attributes:
        seed: the seed of all.
        neither: what the arm without both features predicted.
        first: what the arm with the first alone predicted on the same gate samples.
        second: what the arm with the second alone predicted.
        both: what the arm with both predicted.
    """

    seed: int
    neither: Predictions
    first: Predictions
    second: Predictions
    both: Predictions

    def __post_init__(self) -> None:
        """Check that all arms were asked the same.

        Raises:
            GateInputError: if gate samples, labels or groups differ.
        """
        for arm in (self.first, self.second, self.both):
            Pair(self.seed, self.neither, arm)

    @property
    def alone(self) -> Pair:
        """The first feature without the second."""
        return Pair(self.seed, self.neither, self.first)

    @property
    def upon(self) -> Pair:
        """The first feature beside the second."""
        return Pair(self.seed, self.second, self.both)

    @property
    def interaction(self) -> float:
        """How much more the first feature gives beside the second than without it."""
        return self.upon.difference - self.alone.difference


def interaction_contributions(fours: Sequence[Four]) -> Contributions:
    """Contributions of all groups of gate samples to the interactions, row k for ``fours[k]``.

    To first order each F1 is a sum over gate samples, so an interaction is one too:
    c_both - c_first - c_second + c_neither, summed over a group.
    """
    upon = contributions([four.upon for four in fours])
    alone = contributions([four.alone for four in fours])
    return Contributions.of(upon.groups, upon.values - alone.values)


@dataclass(frozen=True, eq=False)
class Interaction:
    """What two features give together beyond what they give apart, on the seeds of all four arms.

    Attributes:
        names: selections of the first feature and of the second.
        seeds: seeds at which all four arms have a clean run, in the order of the plan.
        first: F1 of the first alone less F1 of neither, a seed each.
        second: the same for the second alone.
        both: the same for both.
        values: the interactions, a seed each: both - first - second.
        estimate: of their mean; None below three seeds.
        dropped: seeds left out because a run of one of the arms collapsed.
    """

    names: tuple[str, str]
    seeds: tuple[int, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]
    both: tuple[float, ...]
    values: tuple[float, ...]
    estimate: Estimate | None
    dropped: tuple[int, ...] = ()

    @property
    def n(self) -> int:
        """Number of seeds."""
        return len(self.seeds)

    @property
    def mean(self) -> float | None:
        """Mean interaction; None without seeds."""
        return _mean(self.values)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The two-sided 95 % interval of the mean; None below three seeds.

        Quantiles are Student's, with one degree of freedom fewer than seeds. It is the interval of
        one look at a number of seeds that is fixed, and of one interaction among however many are
        reported; docs/STATISTICS.md says what the pair's own stopping makes of it.
        """
        found = self.estimate
        if found is None:
            return None
        reach = -float(special.stdtrit(found.n - 1, (1 - CONFIDENCE) / 2)) * found.se
        return found.mean - reach, found.mean + reach

    @property
    def sentence(self) -> str:
        """The answer with its numbers, in one plain sentence."""
        said = f"{self._gains}{self._answer}" if self.n else _NOT_KNOWN
        if not self.dropped:
            return said
        seeds = ", ".join(map(str, self.dropped))
        return f"{said}; left out, since a run collapsed: seeds {seeds}"

    @property
    def _gains(self) -> str:
        gains = [_points(_mean(values)) for values in (self.first, self.second, self.both)]
        return (
            f"on {counted(self.n, 'seed')} {self.names[0]} alone gives {gains[0]}, "
            f"{self.names[1]} alone {gains[1]} and both {gains[2]} points of F1: "
        )

    @property
    def _answer(self) -> str:
        mean, bounds = self.mean or 0.0, self.bounds
        word = "less" if mean < 0 else "more"
        said = f"together they give {100 * abs(mean):.1f} points {word} than apart"
        if bounds is None:
            return f"{said}; an interval needs {FIRST_INTERVAL} seeds"
        lower, upper = bounds
        if lower <= 0 <= upper:
            said = "no sign that they need or hinder each other"
        return (
            f"{said}, interaction {_points(mean)}, between {_points(lower)} and {_points(upper)} "
            f"({100 * CONFIDENCE:g} %)"
        )

    def to_json(self) -> dict[str, Json]:
        """The answer as JSON data; ``first``, ``second`` and ``both`` are the mean gains."""
        found, bounds = self.estimate, self.bounds
        return {
            "names": list(self.names),
            "n": self.n,
            "seeds": list(self.seeds),
            "first": _mean(self.first),
            "second": _mean(self.second),
            "both": _mean(self.both),
            "mean": self.mean,
            "se": None if found is None else found.se,
            "lower": None if bounds is None else bounds[0],
            "upper": None if bounds is None else bounds[1],
            "confidence": CONFIDENCE,
            "sd": None if found is None else found.sd,
            "v_cov": None if found is None else found.v_cov,
            "values": list(self.values),
            "dropped": list(self.dropped),
            "sentence": self.sentence,
        }


def measure_interaction(
    fours: Sequence[Four], names: tuple[str, str], dropped: Sequence[int] = ()
) -> Interaction:
    """Estimate an interaction with its standard error over seeds and gate samples.

    SE^2 = sd^2 / n + V_cov as for every difference (`harness.gates.estimate`), with the
    contributions of `interaction_contributions`. The standard deviation has the same floor: half
    of what one vulnerable gate sample changes.

    Args:
        fours: runs of all four arms, in the order of the plan; none of them collapsed.
        names: selections of the first feature and of the second.
        dropped: seeds that were left out because a run collapsed.

    Raises:
        GateInputError: if a seed is used twice.
    """
    seeds = tuple(four.seed for four in fours)
    if len(set(seeds)) != len(seeds):
        raise GateInputError("a seed is used twice", where="fours")
    values = tuple(four.interaction for four in fours)
    found = None
    if len(fours) >= FIRST_INTERVAL:
        floor = 0.5 / min(four.neither.positives for four in fours)
        found = estimate(values, interaction_contributions(fours).values, floor=floor)
    return Interaction(
        names=names,
        seeds=seeds,
        first=tuple(four.alone.difference for four in fours),
        second=tuple(four.second.f1 - four.neither.f1 for four in fours),
        both=tuple(four.both.f1 - four.neither.f1 for four in fours),
        values=values,
        estimate=found,
        dropped=tuple(dropped),
    )


_NOT_KNOWN: Final = "no seed has a clean run of all four arms, so the interaction is not known"


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _points(value: float | None) -> str:
    return f"{100 * (value or 0.0):+.1f}"
