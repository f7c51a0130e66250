"""Simulated differences with a known mean, alone, beside collapses, and in several cells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats

from harness.gates.cell import COLLAPSE, F1, Cell, CellKey
from harness.gates.collapse import ONE_CLASS, Outcome, judge_collapse
from harness.gates.f1_gate import Evidence, judge_f1
from harness.gates.policy import GAIN, Rules
from harness.gates.tables import FIRST_FAIL, FIRST_PASS, MOST_PAIRS
from harness.gates.time import Block, Visit, judge_time
from harness.gates.verdict import FeatureVerdict, judge_feature
from harness.gates.words import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_TYPICAL_F1: Final = 0.6
_HIGHEST_COLLAPSED_F1: Final = 0.25


def uncorrected_passes(rng: np.random.Generator, sd: float, gates: int) -> float:
    """Share of gates at the margin that a plain 5 % t test at every look would pass.

    The control: what the tables guard against.
    """
    draws = rng.normal(0.0, sd, (gates, MOST_PAIRS))
    crossed = np.zeros(gates, dtype=bool)
    for n in range(FIRST_FAIL, MOST_PAIRS + 1):
        seen = draws[:, :n]
        t = seen.mean(axis=1) / (seen.std(axis=1, ddof=1) / math.sqrt(n))
        crossed |= t > stats.t.isf(0.05, n - 1)
    return float(crossed.mean())


def baseline_runs(rng: np.random.Generator, count: int, *, rate: float, sd: float) -> list[Outcome]:
    """Draw baseline runs of which a share collapses, half of them so that training sees it."""
    runs = []
    for seed in range(count):
        if rng.random() >= rate:
            runs.append(Outcome(seed, f1=_TYPICAL_F1 + rng.normal(0, sd)))
        elif rng.random() < 0.5:  # noqa: PLR2004 - a half
            runs.append(Outcome(seed, ONE_CLASS, 0.0))
        else:
            runs.append(Outcome(seed, f1=rng.uniform(0, _HIGHEST_COLLAPSED_F1)))
    return runs


def cell_with_collapses(rng: np.random.Generator, *, rate: float, sd: float) -> tuple[Cell, bool]:
    """Judge a worthless feature whose baseline sometimes collapses.

    Returns:
        The cell, and whether "the mean of ten differences is above 0.02" would have passed it.
    """
    baseline = baseline_runs(rng, 2 * MOST_PAIRS, rate=rate, sd=sd)
    candidate = [Outcome(run.seed, f1=_TYPICAL_F1 + rng.normal(0, sd)) for run in baseline]
    ours = {run.seed: run.f1 or 0.0 for run in baseline}
    differences = {run.seed: (run.f1 or 0.0) - ours[run.seed] for run in candidate}
    collapse = judge_collapse(candidate, baseline)
    usable = collapse.usable[:MOST_PAIRS]
    seen = Evidence(usable, tuple(differences[seed] for seed in usable))
    f1 = judge_f1(seen, GAIN, budget=MOST_PAIRS)
    key = CellKey("model", "data", "cpu")
    cell = Cell(key, {F1: f1, COLLAPSE: collapse}, required=(F1, COLLAPSE))
    naive = float(np.mean([differences[run.seed] for run in candidate[:10]]))
    return cell, naive > GAIN


def feature(
    rng: np.random.Generator,
    means: Sequence[tuple[CellKey, float]],
    *,
    sd: float,
    missing: Sequence[CellKey] = (),
) -> FeatureVerdict:
    """Judge a feature with the given true mean in each cell; its time and collapse gates pass."""
    rules = Rules()
    steady = Visit(1.0, 1.0)
    timing = judge_time([Block(steady, steady, steady, steady)] * FIRST_PASS, epochs=10)
    clean = [Outcome(seed, f1=_TYPICAL_F1) for seed in range(MOST_PAIRS)]
    collapse = judge_collapse(clean, clean)
    seeds = tuple(range(MOST_PAIRS))
    cells = []
    for key, mean in means:
        draws: NDArray[np.float64] = rng.normal(mean, sd, MOST_PAIRS)
        seen = Evidence(seeds, tuple(draws.tolist()))
        f1 = judge_f1(seen, rules.margin, budget=MOST_PAIRS)
        cells.append(Cell(key, {F1: f1, COLLAPSE: collapse, "time": timing}))
    ran = [cell for cell in cells if cell.key not in missing]
    return judge_feature(ran, [key for key, _ in means], rules)


def share_passed(verdicts: Sequence[Verdict]) -> float:
    """Share of PASS among verdicts."""
    return verdicts.count(Verdict.PASS) / len(verdicts)
