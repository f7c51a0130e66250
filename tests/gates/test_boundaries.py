"""The constants in use against the program that computes them."""

from __future__ import annotations

import runpy
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from harness.gates import boundaries
from harness.gates.boundaries import boundary
from harness.gates.holm_table import C_PASS_OF
from harness.gates.tables import C_FAIL, C_PASS

if TYPE_CHECKING:
    from pathlib import Path


DIRECTIONS = {"pass": (0.05, 5, C_PASS), "fail": (0.10, 3, C_FAIL)}


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_small_simulation_finds_the_constants(direction: str):
    alpha, first, table = DIRECTIONS[direction]
    found = boundary(np.random.default_rng(5), 400_000, alpha=alpha, first=first)
    assert found.constants.keys() == table.keys()
    assert found.furthest(table) < 0.08


@pytest.mark.slow
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_full_simulation_finds_the_constants_within_three_hundredths(direction: str):
    alpha, first, table = DIRECTIONS[direction]
    found = boundary(np.random.default_rng(5), 4_000_000, alpha=alpha, first=first)
    print(direction, {n: round(c, 3) for n, c in found.constants.items()})  # noqa: T201 - wanted
    assert found.furthest(table) < 0.03
    assert max(found.errors.values()) < 0.02


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_first_look_is_the_quantile_of_a_plain_t_test(direction: str):
    alpha, first, table = DIRECTIONS[direction]
    plain = stats.t.isf(alpha * first / 20, first - 1)
    assert table[first] == pytest.approx(plain, abs=0.01)
    found = boundary(np.random.default_rng(0), 2000, alpha=alpha, first=first)
    assert found.constants[first] == pytest.approx(plain)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_look_spends_a_twentieth_of_the_error(direction: str):
    # New null paths, each counted at the first look at which it crosses the table in use.
    alpha, first, table = DIRECTIONS[direction]
    paths = 400_000
    draws = np.random.default_rng(11).standard_normal((paths, 20))
    going = np.ones(paths, dtype=bool)
    spent = 0
    for n in range(first, 21):
        seen = draws[going, :n]
        crosses = seen.mean(axis=1) > table[n] * seen.std(axis=1, ddof=1) / np.sqrt(n)
        spent += int(crosses.sum())
        going[np.flatnonzero(going)[crosses]] = False
        wanted = alpha * n / 20
        assert spent / paths == pytest.approx(
            wanted, abs=4 * np.sqrt(wanted / paths) + 1e-3 * alpha
        )


def test_the_same_generator_gives_the_same_constants():
    ours, theirs = (
        boundary(np.random.default_rng(1), 5000, alpha=0.05, first=5).constants for _ in range(2)
    )
    assert ours == theirs


def test_paths_are_followed_in_chunks_whose_spread_is_the_error():
    found = boundary(np.random.default_rng(1), 500_001, alpha=0.05, first=5)
    assert found.errors[5] == 0.0  # exact
    assert all(0 < found.errors[n] < 0.1 for n in range(6, 21))


def test_holm_constants_grow_with_the_number_of_tests():
    assert dict(C_PASS_OF[1]) == dict(C_PASS)
    for k in range(1, 20):
        assert all(C_PASS_OF[k][n] < C_PASS_OF[k + 1][n] for n in range(5, 21))


@pytest.mark.parametrize("k", [2, 6, 20])
def test_a_simulation_finds_the_holm_constants(k: int):
    found = boundary(np.random.default_rng(5), 500_000, alpha=0.05 / k, first=5)
    # A tail of 0.05 / 20 / k is thin: allow what its own sampling error allows.
    for n, constant in found.constants.items():
        tail = 0.05 / 20 / k
        density = stats.t.pdf(constant, n - 1)
        error = np.sqrt(tail / 500_000) / density
        assert constant == pytest.approx(C_PASS_OF[k][n], abs=6 * error + 0.01)


def test_the_program_prints_both_tables(capsys: pytest.CaptureFixture[str]):
    # A thousand paths cannot meet the tolerance: the exit code says so.
    code = boundaries.main(["--paths", "1000", "--seed", "3"])
    shown = capsys.readouterr().out
    assert code == 1
    assert "cP   n  table  simulated" in shown
    assert "     3   5.65  5.643" in shown
    assert "furthest apart" in shown


def test_the_program_writes_a_holm_table_that_can_be_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    assert boundaries.main(["--paths", "20000", "--holm"]) == 0
    source = tmp_path / "holm_table.py"
    source.write_text(capsys.readouterr().out)
    read = runpy.run_path(str(source))["C_PASS_OF"]
    assert dict(read[1]) == dict(C_PASS)
    assert sorted(read) == list(range(1, 21))
    assert all(sorted(row) == list(range(5, 21)) for row in read.values())


def test_the_program_refuses_too_few_paths(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        boundaries.main(["--paths", "10"])
    assert ended.value.code == 2
    assert "at least 1000 paths" in capsys.readouterr().err


def test_the_program_runs_as_a_module(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["boundaries", "--paths", "1000"])
    with pytest.warns(RuntimeWarning, match="found in sys.modules"), pytest.raises(SystemExit):
        runpy.run_module("harness.gates.boundaries", run_name="__main__")
    assert "cF" in capsys.readouterr().out
