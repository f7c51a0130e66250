"""The time gate: does training with the feature take less than 1.20 times as long?

Also the proof of a speed or memory claim, which asks for less rather than for not much more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from harness.gates.inputs import GateInputError, finite_number, whole_number
from harness.gates.sequential import Decision, decide
from harness.gates.tables import MOST_PAIRS
from harness.gates.words import Json, Lean, Verdict, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_RATIO: Final = 1.20
_MOST_EPOCHS = 10**9

_UNDECIDED: Final[dict[str, Json]] = {
    "lean": Lean.OPEN.value,
    "more": None,
    "more_50": None,
    "more_reason": "no number of blocks settles an intermittent cost",
}


@dataclass(frozen=True)
class Visit:
    """The epochs that one arm trained before the other took over, warm-up left out.

    Attributes:
        median: median wall-clock seconds of its epochs.
        mean: mean wall-clock seconds of its epochs.
        cpu: mean CPU seconds of its epochs; shown, never judged; None if not taken.
    """

    median: float
    mean: float
    cpu: float | None = None

    def __post_init__(self) -> None:
        """Check the times.

        Raises:
            GateInputError: if one is not positive and finite.
        """
        for name, seconds in vars(self).items():
            if seconds is not None and not 0 < seconds < math.inf:
                raise GateInputError(f"{seconds} is no time in seconds", where=f"visit.{name}")


@dataclass(frozen=True)
class Block:
    """Four visits in the order A B B A or B A A B, so that a steady drift cancels.

    Attributes:
        a1: first visit of the baseline.
        b1: first visit of the candidate.
        b2: second visit of the candidate.
        a2: second visit of the baseline.
    """

    a1: Visit
    b1: Visit
    b2: Visit
    a2: Visit


@dataclass(frozen=True)
class Cost:
    """What an arm costs once per training, outside of its epochs.

    Attributes:
        baseline: seconds.
        candidate: seconds; an LR range test, a statistics refresh, further ensemble members.
    """

    baseline: float = 0.0
    candidate: float = 0.0

    def __post_init__(self) -> None:
        """Check the times.

        Raises:
            GateInputError: if one is negative or not finite.
        """
        for name, seconds in vars(self).items():
            finite_number(seconds, f"cost.{name}", least=0.0)


@dataclass(frozen=True, eq=False)
class TimeResult:
    """The time gate's answer. Bounds in ratio units: 1.05 is 5 % slower than the baseline.

    Attributes:
        decision: the sequential test on -log(candidate / baseline), margin -log(max_ratio).
        ratio_of_means: total time of all blocks by mean epochs, candidate over baseline; None
            without blocks.
        epoch_ratio: geometric mean of the ratio of median epochs; None without blocks.
        cpu_ratio: the same of mean CPU seconds; None if they were not taken.
        cost: seconds outside of epochs.
        epochs: epochs of one training.
        max_ratio: the ratio that must not be reached.
    """

    decision: Decision
    ratio_of_means: float | None
    epoch_ratio: float | None
    cpu_ratio: float | None
    cost: Cost
    epochs: int
    max_ratio: float = field(default=MAX_RATIO)

    @property
    def intermittent(self) -> bool:
        """Whether means show a cost that medians pass over: some epochs are much slower."""
        return (
            self.decision.verdict is Verdict.PASS
            and self.ratio_of_means is not None
            and self.ratio_of_means >= self.max_ratio
        )

    @property
    def verdict(self) -> Verdict:
        """The decision's verdict; INCONCLUSIVE where an intermittent cost contradicts it."""
        return Verdict.INCONCLUSIVE if self.intermittent else self.decision.verdict

    @property
    def open(self) -> bool:
        """Whether another block could still decide."""
        return self.decision.open

    @property
    def ratio(self) -> float | None:
        """Total training time of the candidate over the baseline's, geometric mean of blocks."""
        return _ratio(self.decision.mean)

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Lower and upper one-sided bound of the ratio; upper below the limit is a PASS."""
        return _ratio(self.decision.upper), _ratio(self.decision.lower)

    @property
    def sentence(self) -> str:
        """The answer with its numbers, in one plain sentence."""
        start = f"{self.verdict} after {counted(self.decision.n, 'timed block')}"
        if self.ratio is None:
            return f"{start}: no block timed yet"
        low, high = self.bounds
        start = f"{start}: training takes {self.ratio:.2f} times as long"
        limit = f"less than {self.max_ratio:.2f} wanted"
        if self.intermittent:
            return (
                f"{start} by median epochs, but {self.ratio_of_means:.2f} times by mean epochs: "
                f"intermittent cost; {limit}"
            )
        if self.verdict is Verdict.PASS:
            return f"{start}, at most {high:.2f}; {limit}"
        if self.verdict is Verdict.FAIL:
            return f"{start}, at least {low:.2f}; {limit}"
        shown = [
            f"{bound:.2f}" if bound is not None else "an unknown bound" for bound in (low, high)
        ]
        more = self.decision.more_sentence.replace("pair", "block")
        return f"{start}, from {shown[0]} to {shown[1]}; {limit}; {more}"

    def to_json(self) -> dict[str, Json]:
        """The answer as JSON data; ``mean`` and bounds are of -log(ratio), the rest in ratios."""
        low, high = self.bounds
        return {
            **self.decision.to_json(),
            **(_UNDECIDED if self.intermittent else {}),
            "verdict": self.verdict.value,
            "unit": "-log(candidate seconds / baseline seconds)",
            "ratio": self.ratio,
            "ratio_lower": low,
            "ratio_upper": high,
            "max_ratio": self.max_ratio,
            "ratio_of_means": self.ratio_of_means,
            "intermittent": self.intermittent,
            "epoch_ratio": self.epoch_ratio,
            "cpu_ratio": self.cpu_ratio,
            "epochs": self.epochs,
            "once_baseline": self.cost.baseline,
            "once_candidate": self.cost.candidate,
            "sentence": self.sentence,
        }


def judge_time(
    blocks: Sequence[Block],
    *,
    epochs: int,
    cost: Cost | None = None,
    max_ratio: float = MAX_RATIO,
    budget: int = MOST_PAIRS,
) -> TimeResult:
    """Put the time question to the timed blocks of one cell, in the order they were measured.

    Per block, d = (log B1 + log B2 - log A1 - log A2) / 2 of total training times: epochs times
    the visit's median epoch, and what the arm costs once. PASS from the fifth block, FAIL from
    the third.

    Args:
        blocks: at most 20 are read.
        epochs: epochs of one training, over which a cost outside of epochs is spread.
        cost: seconds outside of epochs.
        max_ratio: the ratio that must not be reached.
        budget: blocks after which the answer is INCONCLUSIVE, 3..20.

    Raises:
        GateInputError: if ``epochs`` or ``max_ratio`` is not positive, or the budget not 3..20.
    """
    epochs = whole_number(epochs, "epochs", 1, _MOST_EPOCHS)
    if not 0 < max_ratio < math.inf:
        raise GateInputError(f"a positive ratio is wanted, not {max_ratio}", where="max_ratio")
    cost = cost or Cost()

    slower = log_ratios(blocks, epochs=epochs, cost=cost)
    decision = decide([-one for one in slower], -math.log(max_ratio), budget=budget)
    read = blocks[: decision.n]
    means = [_totals(block, "mean", epochs, cost) for block in read]
    return TimeResult(
        decision=decision,
        ratio_of_means=_ratio_of_sums(means),
        epoch_ratio=_geometric([_log_ratio(*_each(block, "median")) for block in read]),
        cpu_ratio=_cpu_ratio(read),
        cost=cost,
        epochs=epochs,
        max_ratio=max_ratio,
    )


def log_ratios(blocks: Sequence[Block], *, epochs: int, cost: Cost) -> list[float]:
    """Log of total training time, candidate over baseline, of each block; above 0 is slower."""
    return [_log_ratio(*_totals(block, "median", epochs, cost)) for block in blocks]


def _totals(block: Block, kind: str, epochs: int, cost: Cost) -> tuple[float, float, float, float]:
    a1, b1, b2, a2 = (epochs * seconds for seconds in _each(block, kind))
    return a1 + cost.baseline, b1 + cost.candidate, b2 + cost.candidate, a2 + cost.baseline


def _log_ratio(a1: float, b1: float, b2: float, a2: float) -> float:
    return (math.log(b1) + math.log(b2) - math.log(a1) - math.log(a2)) / 2


def _each(block: Block, kind: str) -> tuple[float, float, float, float]:
    a1, b1, b2, a2 = (getattr(v, kind) for v in (block.a1, block.b1, block.b2, block.a2))
    return a1, b1, b2, a2


def _ratio(of_log: float | None) -> float | None:
    return None if of_log is None else math.exp(-of_log)


def _geometric(logs: list[float]) -> float | None:
    return math.exp(math.fsum(logs) / len(logs)) if logs else None


def _ratio_of_sums(totals: Sequence[tuple[float, float, float, float]]) -> float | None:
    if not totals:
        return None
    candidate = math.fsum(b1 + b2 for _, b1, b2, _ in totals)
    return candidate / math.fsum(a1 + a2 for a1, _, _, a2 in totals)


def _cpu_ratio(blocks: Sequence[Block]) -> float | None:
    taken = [_each(block, "cpu") for block in blocks]
    if any(seconds is None for times in taken for seconds in times):
        return None
    return _ratio_of_sums(taken)
