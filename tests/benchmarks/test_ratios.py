from __future__ import annotations

import json
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cells import Cell
from benchmarks.ratios import Row, Spread, measure, table, to_json

CELL = Cell("gcn", 128)
SECONDS = st.floats(0.01, 100)


class FakeArm:
    def __init__(self, name, seconds, log):
        self._name, self._seconds, self._log = name, iter(seconds), log

    def begin(self, cell):
        self._log.append(("begin", self._name, cell))

    def epoch(self):
        self._log.append(("epoch", self._name))
        return next(self._seconds)


@given(st.lists(SECONDS, min_size=1))
def test_a_spread_is_median_and_ends(values):
    spread = Spread.of(values)
    assert (spread.low, spread.high) == (min(values), max(values))
    assert spread.median == statistics.median(values)


@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=1))
def test_ratios_are_taken_within_a_repeat(pairs):
    engine, plain = zip(*pairs, strict=True)
    row = Row(CELL, 10, {"engine": engine, "r1": plain})
    assert row.ratio("r1") == Spread.of([other / own for own, other in pairs])
    assert row.throughput("engine") == Spread.of([10 / own for own in engine])


def test_a_machine_that_slows_both_sides_leaves_the_ratio():
    row = Row(CELL, 10, {"engine": (1.0, 2.0, 4.0), "r1": (3.0, 6.0, 12.0)})
    assert row.ratio("r1") == Spread(3.0, 3.0, 3.0)


def test_arms_train_by_turns_and_each_comes_first_as_often():
    log = []
    arms = {name: FakeArm(name, range(1, 7), log) for name in ("engine", "r1", "r2")}
    row = measure(CELL, arms, repeats=6, graphs=10)
    assert log[:3] == [("begin", name, CELL) for name in arms]
    turns = [name for _, name in log[3:]]
    repeats = [turns[start : start + 3] for start in range(0, 18, 3)]
    assert all(sorted(repeat) == ["engine", "r1", "r2"] for repeat in repeats)
    assert sorted(repeat[0] for repeat in repeats) == sorted([*arms] * 2)
    assert row.cpu_seconds == dict.fromkeys(arms, (1, 2, 3, 4, 5, 6))


def test_the_table_has_a_line_a_cell_and_the_json_every_repeat():
    times = {"engine": (1.0, 1.0), "r1": (4.0, 5.0), "r2": (2.0, 3.0)}
    rows = [Row(CELL, 100, times), Row(Cell("gat", 256), 100, times)]
    lines = table(rows).splitlines()
    assert len(lines) == 4
    assert "4.50 (4.00-5.00)" in lines[2]
    assert "2.50 (2.00-3.00)" in lines[3]
    assert "engine / r2" in lines[0]
    stored = json.loads(json.dumps(to_json(rows, {"commit": "abc"})))
    assert stored["commit"] == "abc"
    assert stored["rows"][1]["model"] == "gat"
    assert stored["rows"][0]["cpu_seconds"] == {name: list(each) for name, each in times.items()}
    assert stored["rows"][0]["engine_times_as_fast"]["r1"]["median"] == pytest.approx(4.5)
