"""The rounds of a feature's cells, from the first on: which pair comes next, and when none does.

Nothing here reads a store: a cell after so many pairs is asked for, and so is what they lack.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from harness.gates.tables import FIRST_FAIL
from harness.gates.words import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from harness.gates.cell import Cell
    from harness.matrix.records import Failure

TIMED: Final = ("time", "benefit")
"""Gates that read timed blocks."""


@dataclass(frozen=True)
class CellState:
    """A cell after so many rounds.

    Attributes:
        cell: its gates' answers.
        pairs: leading pairs of finished trials that they rest on.
        wanted: keys of the trials that its next step needs, baseline first and parts last.
        problem: the failure that keeps it from being measured, or None.
        f1_open: whether another pair may still decide the F1 gate, or show the gain that a
            feature over its complexity budget needs.
        runs_open: whether another clean candidate run is still needed.
        falling: whether F1 is open and its mean below the margin.
    """

    cell: Cell
    pairs: int = 0
    wanted: tuple[str, ...] = ()
    problem: Failure | None = None
    f1_open: bool = True
    runs_open: bool = True
    falling: bool = False

    @property
    def closed(self) -> bool:
        """Whether no further pair can change the cell."""
        return not (self.f1_open or self.runs_open or self.wanted)


@dataclass(frozen=True)
class Progress:
    """A feature after the rounds it has come through.

    Attributes:
        rounds: most pairs of a cell that were judged, or are wanted.
        states: of its cells, in the order of the plan.
        wanted: keys of the trials that it needs next, and after them those that it will probably
            need, for cores that would idle.
        step: keys of the trials before which it cannot be decided, a part of ``wanted``.
        done: whether its quality runs are over.
    """

    rounds: int
    states: tuple[CellState, ...]
    wanted: tuple[str, ...]
    step: tuple[str, ...]
    done: bool

    @property
    def pairs(self) -> int:
        """Pairs of all cells that were judged."""
        return sum(state.pairs for state in self.states)


def replay(
    cells: int,
    judged: Callable[[int, int], CellState],
    missing: Callable[[int, int], tuple[str, ...]],
    *,
    budget: int,
    most: int,
    all_gates: bool,
) -> Progress:
    """Replay the rounds of a feature's cells on one kind of hardware.

    Args:
        cells: how many there are, in the order of the plan.
        judged: the cell at a place after so many pairs.
        missing: keys of the trials that it lacks for them.
        budget: pairs of F1 at most.
        most: pairs of any gate at most.
        all_gates: whether cells go on after a FAIL.
    """
    pairs = [0] * cells
    states = [judged(place, 0) for place in range(cells)]
    too_slow = False
    while (place := next(_next(states, pairs, budget), None)) is not None:
        pairs[place] += 1
        states[place] = judged(place, pairs[place])
        if states[place].wanted:
            if too_slow:
                break
            # No pair before F1's first look can decide, unless a run collapses.
            look = min(FIRST_FAIL, budget)
            rest = [missing(place, count) for count in range(pairs[place], look + 1)]
            step = joined(states[place].wanted, *rest)
            next_ones = [one for one in _next(states, pairs, budget) if pairs[one] < most]
            ahead = [missing(one, pairs[one] + 1) for one in next_ones]
            return Progress(max(pairs), tuple(states), joined(step, *ahead), step, done=False)
        if states[place].cell.verdict is Verdict.FAIL and not all_gates:
            # Blocks were timed after these runs, which belong to the verdict as well.
            too_slow = _by_time_alone(states[place].cell)
            if not too_slow:
                break
    return Progress(max(pairs, default=0), tuple(states), (), (), done=True)


def joined(*lists: Iterable[str]) -> tuple[str, ...]:
    """Keys of all lists in their order, each once."""
    return tuple(dict.fromkeys(chain.from_iterable(lists)))


def _next(states: Sequence[CellState], pairs: Sequence[int], budget: int) -> Iterator[int]:
    """Places of open cells, the one first that the next pair goes to."""
    still = [place for place, state in enumerate(states) if not state.closed]
    look = min(FIRST_FAIL, budget)
    begun = [place for place in still if 0 < pairs[place] < look]
    falling = [place for place in still if states[place].falling]
    yield from dict.fromkeys((*begun, *falling, *sorted(still, key=pairs.__getitem__)))


def _by_time_alone(cell: Cell) -> bool:
    """Whether no gate fails but those that read timed blocks."""
    trained = {name: gate for name, gate in cell.gates.items() if name not in TIMED}
    return replace(cell, gates=trained).verdict is not Verdict.FAIL
