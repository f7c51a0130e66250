"""The F1 gate: is the candidate better than the baseline by the margin, or no worse than it?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.gates.estimate import shared_of
from harness.gates.f1 import Contributions, contributions
from harness.gates.inputs import GateInputError
from harness.gates.sequential import Decision, decide
from harness.gates.tables import FIRST_FAIL
from harness.gates.words import Json, Verdict, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.gates.f1 import Pair

FEW_POSITIVES: Final = 300
IDENTICAL_PAIRS: Final = 3

# Sampling noise of F1 at F1 of 0.4..0.8 is 0.3..0.4 over the root of the positives.
_GATE_NOISE: Final = 0.35

_CONSTANT = 1e-12  # a spread below rounding error has no shape and no correlation


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything the F1 gate reads, one entry a pair, in the order of the plan.

    Attributes:
        seeds: the seed of each pair; none twice.
        differences: F1 of the candidate less F1 of the baseline.
        contributions: what gate samples contributed; None where they are not known, then the
            standard error is over seeds alone.
        floor: least standard deviation to believe.
        identical: whether both arms predicted the same on the whole gate; empty if not known.
        baseline: F1 of the baseline; empty if not known.
        candidate: F1 of the candidate; empty if not known.
        positives: vulnerable gate samples of each pair; empty if not known.
    """

    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    contributions: Contributions | None = None
    floor: float = 0.0
    identical: tuple[bool, ...] = ()
    baseline: tuple[float, ...] = ()
    candidate: tuple[float, ...] = ()
    positives: tuple[int, ...] = ()

    @cached_property
    def shared(self) -> tuple[float, ...]:
        """V_cov of the first 1, 2, ... pairs: what they share by sharing gate samples."""
        pairs = len(self.differences)
        if self.contributions is None:
            return (0.0,) * pairs
        return tuple(shared_of(self.contributions.between, pairs))

    def __post_init__(self) -> None:
        """Check that every entry speaks of the same pairs.

        Raises:
            GateInputError: if lengths differ or a seed is used twice.
        """
        n = len(self.seeds)
        if len(set(self.seeds)) != n:
            raise GateInputError("a seed is used twice", where="evidence.seeds")
        if len(self.differences) != n:
            raise GateInputError(
                f"{len(self.differences)} for {n} seeds", where="evidence.differences"
            )
        for name in ("identical", "baseline", "candidate", "positives"):
            if len(getattr(self, name)) not in (0, n):
                raise GateInputError(
                    f"{len(getattr(self, name))} for {n} seeds", where=f"evidence.{name}"
                )


def evidence(pairs: Sequence[Pair]) -> Evidence:
    """Read differences, contributions and the floor from the stored predictions of ``pairs``.

    The floor is half of what one vulnerable gate sample more or less changes in F1, of the
    smallest gate before the first look: it must not move when later pairs arrive.
    """
    positives = tuple(pair.baseline.positives for pair in pairs)
    return Evidence(
        seeds=tuple(pair.seed for pair in pairs),
        differences=tuple(pair.difference for pair in pairs),
        contributions=contributions(pairs) if pairs else None,
        floor=0.5 / min(positives[:FIRST_FAIL]) if pairs else 0.0,
        identical=tuple(pair.identical for pair in pairs),
        baseline=tuple(pair.baseline.f1 for pair in pairs),
        candidate=tuple(pair.candidate.f1 for pair in pairs),
        positives=positives,
    )


@dataclass(frozen=True, eq=False)
class F1Result:
    """The F1 gate's answer.

    Attributes:
        decision: the sequential test's own answer.
        neutral: whether the question was non-inferiority rather than superiority.
        identical: whether the first three pairs predicted the same sample by sample.
        evidence: what was judged.
    """

    decision: Decision
    neutral: bool
    identical: bool
    evidence: Evidence = field(repr=False)

    @property
    def verdict(self) -> Verdict:
        """The decision's verdict, or PASS of a neutral claim whose predictions are identical."""
        return Verdict.PASS if self.neutral and self.identical else self.decision.verdict

    @property
    def open(self) -> bool:
        """Whether another pair could still decide."""
        return self.verdict is Verdict.INCONCLUSIVE and self.decision.open

    @property
    def positives(self) -> int | None:
        """Vulnerable samples of the smallest gate that was looked at."""
        return min(self.evidence.positives[: self.decision.n], default=None)

    @property
    def path(self) -> list[Decision]:
        """What stood after each pair that was looked at, from the first on; the last decided."""
        said, seen = self.decision, self.evidence
        return [
            decide(
                seen.differences[:n], said.margin, budget=said.budget, floor=seen.floor,
                shared=seen.shared,
            )
            for n in range(1, said.n + 1)
        ]  # fmt: skip

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know to read the figures right."""
        found = []
        positives = self.positives
        if positives is not None and positives < FEW_POSITIVES:
            noise = 100 * _GATE_NOISE / positives**0.5
            found.append(
                f"the gate set holds {counted(positives, 'vulnerable graph')}, fewer than "
                f"{FEW_POSITIVES}: its own noise is about {noise:.1f} points of F1"
            )
        if self.evidence.contributions is None and self.decision.n:
            found.append("gate predictions are not stored: the standard error is over seeds alone")
        return tuple(found)

    @property
    def sentence(self) -> str:
        """The answer with its numbers, in one plain sentence."""
        said = self.decision
        wanted = _wanted(said.margin, neutral=self.neutral)
        start = f"{self.verdict} after {counted(said.n, 'pair')}"
        if self.identical:
            rest = "is all that is asked" if self.neutral else "cannot be a gain"
            return (
                f"{start}: IDENTICAL, candidate and baseline predict the same for every gate "
                f"sample, which {rest} ({wanted} wanted)"
            )
        if said.mean is None:
            return f"{start}: no pair to judge yet ({wanted} wanted)"
        start = f"{start}: F1 {_points(said.mean)}"
        if said.verdict is Verdict.PASS and said.lower is not None:
            return f"{start}, at least {_points(said.lower)}; {wanted} wanted"
        if said.verdict is Verdict.FAIL and said.upper is not None:
            return f"{start}, at most {_points(said.upper)}; {wanted} wanted"
        lower = "an unknown bound" if said.lower is None else _points(said.lower)
        upper = "an unknown bound" if said.upper is None else _points(said.upper)
        return (
            f"{start}, from {lower} to {upper}; {wanted} wanted ({said.lean}); {said.more_sentence}"
        )

    def to_json(self) -> dict[str, Json]:
        """The answer as JSON data, with the figures of a full report."""
        n = self.decision.n
        seen = self.evidence
        decided = self.verdict is not self.decision.verdict
        return {
            **self.decision.to_json(),
            **({"lean": None, "more": 0, "more_50": 0, "more_reason": ""} if decided else {}),
            "verdict": self.verdict.value,
            "claim": "non-inferiority" if self.neutral else "superiority",
            "identical": self.identical,
            "correlation": _correlation(seen.baseline[:n], seen.candidate[:n]),
            "skew": _skew(seen.differences[:n]),
            "least": min(seen.differences[:n], default=None),
            "positives": self.positives,
            "seeds": list(seen.seeds[:n]),
            "differences": list(seen.differences[:n]),
            "baseline": list(seen.baseline[:n]),
            "candidate": list(seen.candidate[:n]),
            "warnings": list(self.warnings),
            "sentence": self.sentence,
        }


def judge_f1(seen: Evidence, margin: float, *, neutral: bool = False, budget: int = 10) -> F1Result:
    """Put the F1 question to the pairs of one cell.

    Identical predictions in the first three pairs answer a neutral claim at once: later pairs are
    not read. Under a
    superiority margin they run the ordinary test: their mean of 0 lies below the margin, so they
    FAIL as soon as cF[n] floor / sqrt(n) falls below it, at the third pair from 82 vulnerable
    gate samples up, within 10 pairs from 20 up, and never PASS.

    Args:
        seen: differences and what belongs to them, in the order of the plan.
        margin: +0.02 asks for two points more F1, -0.01 for at most one point less.
        neutral: whether the feature claims something else than F1.
        budget: pairs after which the answer is INCONCLUSIVE, 3..20.

    Raises:
        GateInputError: if a difference is not finite or the budget lies outside 3..20.
    """
    first = seen.identical[:IDENTICAL_PAIRS]
    identical = len(first) == IDENTICAL_PAIRS and all(first)
    read = IDENTICAL_PAIRS if neutral and identical else len(seen.differences)
    decision = decide(
        seen.differences[:read], margin, budget=budget, floor=seen.floor, shared=seen.shared
    )
    identical = identical and all(seen.identical[: decision.n])
    return F1Result(decision, neutral, identical, seen)


def _wanted(margin: float, *, neutral: bool) -> str:
    if neutral and margin < 0:
        return f"at most {-100 * margin:g} points less"
    return f"more than {100 * margin:+g} points"


def _points(value: float) -> str:
    return f"{100 * value:+.1f} points"


def _correlation(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    if len(ours) < FIRST_FAIL or min(np.std(ours), np.std(theirs)) < _CONSTANT:
        return None
    return float(np.corrcoef(ours, theirs)[0, 1])


def _skew(values: Sequence[float]) -> float | None:
    if len(values) < FIRST_FAIL or np.std(values) < _CONSTANT:
        return None
    # scipy.stats has it, and would take a third of a second to load for it.
    n = len(values)
    apart = np.asarray(values) - np.mean(values)
    biased = np.mean(apart**3) / np.mean(apart**2) ** 1.5
    return float(biased * math.sqrt(n * (n - 1)) / (n - 2))
