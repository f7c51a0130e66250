"""What every fault has in common: it is injected once, and something comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.faults.bench import Bench

_TRIES = 2


class Outcome(StrEnum):
    """What came of a fault, once the command was given again until it ended."""

    UNCHANGED = "survived unchanged"
    SAID = "detected and said"
    RETRAINED = "retrained bit-equal"
    WRONG = "wrong"


@dataclass(frozen=True)
class Seen:
    """What came of faults on one store.

    Attributes:
        outcome: of all of them.
        injected: how many there were.
        problems: what was wrong, one sentence each.
        where: what was hit, for the JSON.
    """

    outcome: Outcome
    injected: int = 1
    problems: tuple[str, ...] = ()
    where: str = ""


class NotPossibleError(Exception):
    """The system does not let this fault be injected; says why."""


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        name: for the table.
        inject: makes faults on a store of its own, runs the command again until it ends, and
            compares; everything that it draws comes from the generator.
        share: of all kills that are asked for; 0 for a fault that is no kill.
        times: how often it is injected where it is no kill.
    """

    name: str
    inject: Callable[[Bench, Random], Seen]
    share: float = 0.0
    times: int = 1


def seen(problems: Sequence[str], good: Outcome, injected: int = 1, where: str = "") -> Seen:
    """The good outcome where there is no problem, else a wrong one."""
    return Seen(Outcome.WRONG if problems else good, injected, tuple(problems), where)


@dataclass
class Row:
    """A line of the table.

    Attributes:
        fault: its name.
        seen: what came of each injection.
        skipped: why it could not be injected, "" where it could.
    """

    fault: str
    seen: list[Seen] = field(default_factory=list)
    skipped: str = ""

    @property
    def injected(self) -> int:
        """Faults in all."""
        return sum(one.injected for one in self.seen)

    def count(self, outcome: Outcome) -> int:
        """Faults that ended so."""
        return sum(one.injected for one in self.seen if one.outcome is outcome)

    @property
    def wrong(self) -> bool:
        """Whether any ended wrong."""
        return any(one.outcome is Outcome.WRONG for one in self.seen)


def inject(bench: Bench, fault: Fault, times: int, seed: int, advance: Callable[[], None]) -> Row:
    """Inject a fault until there were so many.

    Args:
        bench: where.
        fault: which.
        times: faults at least; a store may take several.
        seed: of all that is drawn; every injection draws from it, its fault's name and its number.
        advance: called for each of the faults.
    """
    row = Row(fault.name)
    number = 0
    # One that comes too late, when the campaign has just ended, does not count.
    while row.injected < times and number < _TRIES * times:
        before = row.injected
        try:
            row.seen.append(fault.inject(bench, Random(f"{seed}/{fault.name}/{number}")))
        except NotPossibleError as error:
            row.skipped = f"skipped: {error}"
            break
        number += 1
        for _ in range(row.injected - before):
            advance()
    return row
