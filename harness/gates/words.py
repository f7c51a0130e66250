"""The words in which a gate answers, and what every gate's answer has in common."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"


class Verdict(StrEnum):
    """The answer of a gate, a cell or a feature."""

    PASS = "PASS"  # noqa: S105 - a verdict, no password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_MEASURED = "NOT_MEASURED"


class Lean(StrEnum):
    """Where an undecided test points; never a verdict."""

    LEAN_PASS = "LEAN_PASS"  # noqa: S105 - a lean, no password
    LEAN_FAIL = "LEAN_FAIL"
    OPEN = "OPEN"


class GateResult(Protocol):
    """What every gate gives back, whatever it asked."""

    @property
    def verdict(self) -> Verdict:
        """The answer."""

    @property
    def open(self) -> bool:
        """Whether more of what the gate reads could still decide."""

    @property
    def sentence(self) -> str:
        """The answer with its numbers, in one plain sentence."""

    def to_json(self) -> dict[str, Json]:
        """The answer as JSON data: verdict, n, mean, se, lower, upper, lean, more and extras."""


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Join answers that must all hold: one FAIL fails, PASS needs every one to PASS.

    Nothing measured at all is NOT_MEASURED; some of it not measured is INCONCLUSIVE at best.
    """
    answers = set(verdicts)
    if Verdict.FAIL in answers:
        return Verdict.FAIL
    if answers == {Verdict.PASS}:
        return Verdict.PASS
    if answers <= {Verdict.NOT_MEASURED}:
        return Verdict.NOT_MEASURED
    return Verdict.INCONCLUSIVE


def counted(number: int, thing: str) -> str:
    """Write a number with its noun: ``1 pair``, ``7 pairs``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
