"""Which margins a feature is held to, by the policy and by what the feature claims."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from harness.gates.complexity import COMPLEXITY, USUAL
from harness.gates.inputs import GateInputError, finite_number
from harness.gates.time import MAX_RATIO

if TYPE_CHECKING:
    from harness.gates.complexity import Budget
    from harness.gates.words import Json

GAIN: Final = 0.02
NO_WORSE: Final = -0.01

_BENEFITS: Final = {"speed": "training time", "memory": "peak memory"}
_NEUTRAL: Final = ("speed", "memory", "insight", "scale")


class Policy(StrEnum):
    """Who sets the margins: the roadmap, the same for all, or each feature's own claim."""

    ROADMAP = "roadmap"
    CLAIMS = "claims"


@dataclass(frozen=True)
class Rules:
    """What one feature is held to.

    Attributes:
        margin: what the F1 difference must exceed; +0.02 is two points more.
        neutral: whether F1 must only be no worse; identical predictions then PASS.
        benefit: what must become less, in words; None where nothing is to be proven.
        max_ratio: the ratio of training times that must not be reached.
        complexity: the complexity budget; None where complexity is not measured at all.
        reported: names of the gates that are shown and not asked for.
        overrides: what configuration changed, for the verdict to print.
    """

    margin: float = GAIN
    neutral: bool = False
    benefit: str | None = None
    max_ratio: float = MAX_RATIO
    complexity: Budget | None = None
    reported: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()

    @property
    def gates(self) -> tuple[str, ...]:
        """Names of the gates that every cell must pass."""
        asked = ["f1", "collapse", "time"]
        asked += ["benefit"] if self.benefit else []
        asked += [COMPLEXITY] if self.complexity else []
        return tuple(name for name in asked if name not in self.reported)

    @property
    def sentence(self) -> str:
        """What is asked, in one sentence, with every override."""
        f1 = f"F1 better by more than {100 * self.margin:g} points"
        if self.neutral and self.margin < 0:
            f1 = f"F1 at most {-100 * self.margin:g} points worse"
        benefit = f", less {self.benefit} than the baseline" if self.benefit else ""
        changed = f" (overridden: {', '.join(self.overrides)})" if self.overrides else ""
        slower = f"training takes less than {self.max_ratio:g} times as long"
        return f"{f1}{benefit}, {slower}, no collapse in 10 runs{self._size}{changed}"

    @property
    def _size(self) -> str:
        """What is asked of the feature's complexity; empty where nothing is."""
        if self.complexity is None or COMPLEXITY in self.reported:
            return ""
        limit = self.complexity
        margin = limit.factor * (self.margin if self.margin > 0 else GAIN)
        return (
            f", at most {limit.lines} logical lines, cognitive complexity {limit.cognitive}, "
            f"{limit.hooks} hooks and {limit.dependencies} new dependencies "
            f"or F1 better by more than {100 * margin:g} points"
        )

    def to_json(self) -> dict[str, Json]:
        """The rules as JSON data."""
        return {
            "margin": self.margin,
            "neutral": self.neutral,
            "benefit": self.benefit,
            "max_ratio": self.max_ratio,
            "complexity": None if self.complexity is None else dataclasses.asdict(self.complexity),
            "reported": list(self.reported),
            "gates": list(self.gates),
            "overrides": list(self.overrides),
            "sentence": self.sentence,
        }


def rules_for(
    claim: str,
    policy: Policy = Policy.ROADMAP,
    *,
    margin: float | None = None,
    max_ratio: float | None = None,
    complexity: Budget = USUAL,
) -> Rules:
    """Find what a feature is held to.

    The roadmap asks every feature for two points of F1. Under the claims policy a feature that
    promises speed or memory must prove that, and one that promises insight or scale nothing
    that a gate could time; the F1 of all four must be no more than one point worse. The complexity
    budget is the roadmap's: under claims a feature's complexity is reported beside the budget.

    Args:
        claim: ``quality``, ``speed``, ``memory``, ``insight`` or ``scale``.
        policy: whose margins apply.
        margin: F1 margin from configuration, instead of the policy's.
        max_ratio: ratio of training times from configuration, instead of 1.20.
        complexity: budget from configuration.

    Raises:
        GateInputError: if there is no such claim, or an override is not usable.
    """
    if claim not in ("quality", *_NEUTRAL):
        raise GateInputError(
            f"there is no claim '{claim}'",
            where="claim",
            mend=f"there are: quality, {', '.join(_NEUTRAL)}",
        )
    neutral = policy is Policy.CLAIMS and claim in _NEUTRAL
    rules = Rules(
        margin=NO_WORSE if neutral else GAIN,
        neutral=neutral,
        benefit=_BENEFITS.get(claim) if neutral else None,
        complexity=complexity,
        reported=() if policy is Policy.ROADMAP else (COMPLEXITY,),
    )
    overrides = []
    if margin is not None and finite_number(margin, "margin") != rules.margin:
        overrides.append(f"F1 margin {margin:+g} for {rules.margin:+g}")
        rules = dataclasses.replace(rules, margin=margin)
    if max_ratio is not None and finite_number(max_ratio, "max_ratio") != rules.max_ratio:
        if max_ratio <= 0:
            raise GateInputError(f"a positive ratio is wanted, not {max_ratio}", where="max_ratio")
        overrides.append(f"time ratio {max_ratio:g} for {rules.max_ratio:g}")
        rules = dataclasses.replace(rules, max_ratio=max_ratio)
    return dataclasses.replace(rules, overrides=(*overrides, *complexity.changes()))
