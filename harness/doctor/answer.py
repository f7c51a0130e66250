"""One of the five questions with its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.gates.words import Json


class Ailment(StrEnum):
    """What can be wrong with a baseline; advice goes by these."""

    LOW_F1 = "low F1"
    BELOW_REFERENCE = "below a reference"
    MISSES_SLICE = "misses a kind of graph"
    SLOW = "slow"
    LARGE = "large"
    COLLAPSES = "collapses"
    UNDERTRAINED = "undertrained"
    OVERFITS = "overfits"
    UNSTEADY = "unsteady"


@dataclass(frozen=True)
class Answer:
    """The answer to one question.

    Attributes:
        question: as it was put.
        answer: in a few words.
        lines: what it rests on.
        ailments: what it finds wrong.
    """

    question: str
    answer: str
    lines: tuple[str, ...] = ()
    ailments: frozenset[Ailment] = field(default=frozenset())

    def to_json(self) -> dict[str, Json]:
        """The answer as JSON data."""
        return {
            "question": self.question,
            "answer": self.answer,
            "lines": list(self.lines),
            "ailments": sorted(self.ailments),
        }
