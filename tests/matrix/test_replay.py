"""Rounds of cells that are made up: which pair comes next, when nothing is left to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gates.cell import Cell, CellKey
from harness.gates.tables import FIRST_FAIL
from harness.matrix.replay import CellState, replay

CELL = Cell(CellKey("gcn", "data", "cpu"), required=("f1",), reported=())


def cells(there, open_until):
    """Functions of cells that have so many pairs, and are open until they have so many."""

    def missing(place, count):
        return tuple(f"{place}/{pair}" for pair in range(there[place], count))

    def judged(place, count):
        still = count < open_until[place]
        return CellState(
            CELL, pairs=min(count, there[place]), wanted=missing(place, count), f1_open=still,
            runs_open=False,
        )  # fmt: skip

    return judged, missing


def test_a_cell_gets_the_pairs_of_its_first_look_before_the_next_one_any():
    progress = replay(2, *cells([0, 0], [9, 9]), budget=10, most=10, all_gates=False)
    assert progress.step == tuple(f"0/{pair}" for pair in range(FIRST_FAIL))
    assert progress.wanted[: len(progress.step)] == progress.step
    assert "1/0" in progress.wanted
    assert not progress.done


def test_after_their_first_looks_cells_go_in_lockstep():
    progress = replay(
        2, *cells([FIRST_FAIL + 1, FIRST_FAIL], [9, 9]), budget=10, most=10, all_gates=False
    )
    assert progress.step == (f"1/{FIRST_FAIL}",)


def test_the_one_that_is_on_its_way_to_fail_goes_first():
    judged, missing = cells([FIRST_FAIL, FIRST_FAIL], [9, 9])

    def falling(place, count):
        state = judged(place, count)
        return CellState(
            CELL, state.pairs, state.wanted, None, state.f1_open, runs_open=False,
            falling=place == 1 and count >= FIRST_FAIL,
        )  # fmt: skip

    progress = replay(2, falling, missing, budget=10, most=10, all_gates=False)
    assert progress.step == (f"1/{FIRST_FAIL}",)


@pytest.mark.parametrize("all_gates", [True, False])
def test_a_feature_whose_cells_are_closed_is_done(all_gates):
    progress = replay(2, *cells([5, 4], [5, 4]), budget=10, most=10, all_gates=all_gates)
    assert progress.done
    assert progress.pairs == 9
    assert not progress.wanted


@given(
    st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=4),
    st.integers(1, 10),
)
def test_what_is_wanted_is_never_there_and_the_step_comes_first(sizes, budget):
    there, until = zip(*sizes, strict=True)
    progress = replay(
        len(sizes), *cells(there, [min(one, budget) for one in until]), budget=budget, most=10,
        all_gates=False,
    )  # fmt: skip
    assert progress.wanted[: len(progress.step)] == progress.step
    assert len(set(progress.wanted)) == len(progress.wanted)
    for key in progress.wanted:
        place, pair = map(int, key.split("/"))
        assert pair >= there[place]
    assert progress.done == (not progress.step)


def test_a_feature_without_cells_is_done():
    assert replay(0, *cells([], []), budget=10, most=10, all_gates=False).done
