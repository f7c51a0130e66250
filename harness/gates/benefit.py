"""The proof of a claimed benefit: less time, or less memory at its peak, than the baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.gates.sequential import Decision, decide
from harness.gates.tables import MOST_PAIRS
from harness.gates.words import Json, Verdict, counted

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, eq=False)
class BenefitResult:
    """The benefit gate's answer.

    Attributes:
        decision: the sequential test on -log(candidate / baseline), margin 0.
        what: what is claimed to become less, such as ``training time`` or ``peak memory``.
    """

    decision: Decision
    what: str

    @property
    def verdict(self) -> Verdict:
        """PASS if the upper bound of the log ratio lies below 0."""
        return self.decision.verdict

    @property
    def open(self) -> bool:
        """Whether another measurement could still decide."""
        return self.decision.open

    @property
    def ratio(self) -> float | None:
        """Candidate over baseline, geometric mean; None without measurements."""
        return None if self.decision.mean is None else math.exp(-self.decision.mean)

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Lower and upper one-sided bound of the ratio."""
        low, high = self.decision.upper, self.decision.lower
        return (
            None if low is None else math.exp(-low),
            None if high is None else math.exp(-high),
        )

    @property
    def sentence(self) -> str:
        """The answer with its numbers, in one plain sentence."""
        start = f"{self.verdict} after {counted(self.decision.n, 'measurement')}"
        if self.ratio is None:
            return f"{start}: {self.what} not measured yet"
        low, high = self.bounds
        start = f"{start}: {self.what} is {self.ratio:.3f} times the baseline's"
        if self.verdict is Verdict.PASS:
            return f"{start}, at most {high:.3f}; less than 1 is claimed"
        if self.verdict is Verdict.FAIL:
            return f"{start}, at least {low:.3f}; less than 1 is claimed"
        more = self.decision.more_sentence.replace("pair", "measurement")
        return f"{start}; less than 1 is claimed and not shown; {more}"

    def to_json(self) -> dict[str, Json]:
        """The answer as JSON data; ``mean`` and bounds are of -log(ratio), the rest in ratios."""
        low, high = self.bounds
        return {
            **self.decision.to_json(),
            "unit": f"-log(candidate / baseline) of {self.what}",
            "ratio": self.ratio,
            "ratio_lower": low,
            "ratio_upper": high,
            "sentence": self.sentence,
        }


def judge_benefit(
    log_ratios: Sequence[float], what: str, *, budget: int = MOST_PAIRS
) -> BenefitResult:
    """Ask whether the claimed quantity is less than the baseline's.

    Args:
        log_ratios: log(candidate / baseline) of each timed block or pair, in order.
        what: what is claimed to become less, in words.
        budget: measurements after which the answer is INCONCLUSIVE, 3..20.

    Raises:
        GateInputError: if a value is not finite or the budget lies outside 3..20.
    """
    return BenefitResult(decide([-one for one in log_ratios], 0.0, budget=budget), what)
