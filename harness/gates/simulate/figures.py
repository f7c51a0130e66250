"""The operating characteristics that the gates promise, obtained by simulation.

Each figure states what is wanted beside what was obtained; the numbers in front are those of the
list in ``docs/STATISTICS.md``.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.gates.cell import CellKey
from harness.gates.estimate import estimate
from harness.gates.f1_gate import evidence, judge_f1
from harness.gates.planning import Rates, power
from harness.gates.simulate.plain import (
    cell_with_collapses,
    feature,
    share_passed,
    uncorrected_passes,
)
from harness.gates.simulate.pools import Population, draw_pairs
from harness.gates.simulate.timing import Machine, time_gate
from harness.gates.tables import MOST_PAIRS
from harness.gates.words import Json, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.gates.f1_gate import Evidence


@dataclass(frozen=True)
class Figure:
    """One promised number and what the simulation obtained.

    Attributes:
        item: number in the list of promises.
        what: what is counted, of which truth.
        value: what was obtained.
        least: it must not be below this; None if there is no such bound.
        most: it must not be above this; None if there is no such bound.
        error: standard error of the value, for runs smaller than the promise is made for.
    """

    item: int
    what: str
    value: float
    least: float | None = None
    most: float | None = None
    error: float = 0.0

    def holds(self, errors: float = 0.0) -> bool:
        """Whether the promise is kept, give or take so many standard errors."""
        slack = errors * self.error
        return (self.least is None or self.value >= self.least - slack) and (
            self.most is None or self.value <= self.most + slack
        )

    @property
    def sentence(self) -> str:
        """Wanted beside obtained, in one line."""
        bounds = [f">= {self.least:g}"] if self.least is not None else []
        bounds += [f"<= {self.most:g}"] if self.most is not None else []
        kept = "kept" if self.holds() else "NOT KEPT"
        return f"{self.item}. {self.what}: {self.value:.4g} (wanted {', '.join(bounds)}) {kept}"

    def to_json(self) -> dict[str, Json]:
        """The figure as JSON data."""
        return {**vars(self), "kept": self.holds(), "sentence": self.sentence}


def all_figures(
    rng: np.random.Generator, *, gates: int = 2000, pools: int = 300
) -> Iterator[Figure]:
    """Obtain every promised number, one by one; about a minute at the default sizes."""
    yield from normal_figures(rng, gates)
    yield from collapse_figures(rng, gates)
    yield from time_figures(rng, gates)
    yield from feature_figures(rng, gates)
    yield from pool_figures(rng, pools)


def normal_figures(rng: np.random.Generator, gates: int) -> Iterator[Figure]:
    """Promises 1 to 3: normal differences of known mean."""

    def rates(true: float, sd: float, margin: float = 0.02, budget: int = MOST_PAIRS) -> Rates:
        return power(true, sd, rng=rng, margin=margin, budget=budget, gates=gates).rates

    def share(item: int, what: str, value: float, *, least: float | None = None,
              most: float | None = None) -> Figure:  # fmt: skip
        return _share(item, what, value, gates, least=least, most=most)

    none = rates(0.0, 0.02)
    yield share(1, "true 0, sd 0.02: PASS", none.passed, most=0.005)
    yield share(1, "true 0, sd 0.02: FAIL", none.failed, least=0.98)
    yield Figure(1, "true 0, sd 0.02: median pairs", none.median_pairs, most=8)
    yield share(1, "true 0.01, sd 0.02: PASS", rates(0.01, 0.02).passed, most=0.01)
    for sd in (0.01, 0.02, 0.042):
        edge = rates(0.02, sd)
        yield share(2, f"true 0.02, sd {sd}: PASS", edge.passed, most=0.065)
        yield share(2, f"true 0.02, sd {sd}: FAIL", edge.failed, most=0.12)
    control = uncorrected_passes(rng, 0.02, gates)
    yield share(2, "control, uncorrected t test at every look: PASS", control, least=0.15)
    five = rates(0.05, 0.02)
    yield share(3, "true 0.05, sd 0.02: PASS", five.passed, least=0.98)
    yield Figure(3, "true 0.05, sd 0.02: median pairs", five.median_pairs, most=6)
    ten = rates(0.05, 0.02, budget=10)
    yield share(3, "true 0.05, sd 0.02, budget 10: PASS", ten.passed, least=0.92)
    yield share(3, "true 0.03, sd 0.02: FAIL", rates(0.03, 0.02).failed, most=0.015)
    same = rates(0.0, 0.01, margin=-0.01)
    yield share(3, "non-inferiority 0.01, true 0, sd 0.01: PASS", same.passed, least=0.96)
    worse = rates(-0.01, 0.01, margin=-0.01)
    yield share(3, "non-inferiority 0.01, true -0.01, sd 0.01: PASS", worse.passed, most=0.065)


def collapse_figures(rng: np.random.Generator, gates: int) -> Iterator[Figure]:
    """Promise 4: a baseline that collapses in 3 % of its runs, and a worthless feature."""
    cells = [cell_with_collapses(rng, rate=0.03, sd=0.015) for _ in range(gates)]
    passed = share_passed([cell.verdict for cell, _ in cells])
    naive = sum(passes for _, passes in cells) / gates
    yield _share(4, "3 % baseline collapses, true 0: PASS", passed, gates, most=0.01)
    yield _share(4, "control, mean of 10 > 0.02: PASS", naive, gates, least=0.15)


def time_figures(rng: np.random.Generator, gates: int) -> Iterator[Figure]:
    """Promise 5: timed blocks on a shared machine."""
    machine = Machine()
    results = {
        ratio: [time_gate(rng, ratio, machine) for _ in range(gates)] for ratio in (1.05, 1.2, 1.3)
    }
    verdicts = {ratio: [one.verdict for one in found] for ratio, found in results.items()}
    blocks = [one.decision.n for one in results[1.05]]
    error = float(np.std(blocks)) / math.sqrt(gates)
    yield _share(5, "time ratio 1.05: PASS", share_passed(verdicts[1.05]), gates, least=0.98)
    yield Figure(5, "time ratio 1.05: mean blocks", float(np.mean(blocks)), most=7, error=error)
    yield _share(5, "time ratio 1.20: PASS", share_passed(verdicts[1.2]), gates, most=0.065)
    failed = verdicts[1.3].count(Verdict.FAIL) / gates
    yield _share(5, "time ratio 1.30: FAIL", failed, gates, least=0.97)


def feature_figures(rng: np.random.Generator, gates: int) -> Iterator[Figure]:
    """Promise 6: six cells, of which one has nothing beyond the margin, or is missing."""
    keys = [CellKey(model, data, "cpu") for model in ("gcn", "gat", "sage") for data in ("x", "y")]
    one_at_margin = [(key, 0.02 if key is keys[-1] else 0.05) for key in keys]
    all_good = [(key, 0.05) for key in keys]
    edge = [feature(rng, one_at_margin, sd=0.02).verdict for _ in range(gates)]
    short = [
        feature(rng, all_good, sd=0.02, missing=[keys[k % len(keys)]]).verdict for k in range(gates)
    ]
    yield _share(6, "six cells, one at the margin: PASS", share_passed(edge), gates, most=0.07)
    yield Figure(6, "a cell missing: PASS", share_passed(short), most=0.0)


def pool_figures(rng: np.random.Generator, pools: int) -> Iterator[Figure]:
    """Promise 7: pools of 2,500 samples, 23 % positive, at a true gain of the margin."""
    population = Population()
    means, two_way, seed_only = [], [], []
    passed = passed_by_seeds = 0
    for _ in range(pools):
        fixed = evidence(draw_pairs(rng, population, MOST_PAIRS, resplit=False))
        table = fixed.contributions.values if fixed.contributions else None
        ten = estimate(fixed.differences[:10], None if table is None else table[:10])
        means.append(ten.mean)
        two_way.append(ten.se**2)
        seed_only.append(ten.sd**2 / ten.n)
        blind = dataclasses.replace(fixed, contributions=None)
        passed_by_seeds += _passes(blind, population)
        fresh = evidence(draw_pairs(rng, population, MOST_PAIRS, resplit=True))
        passed += _passes(fresh, population)
    actual = float(np.std(means, ddof=1))
    spread = 1 / math.sqrt(2 * pools)
    claimed = math.sqrt(np.mean(two_way)) / actual
    alone = math.sqrt(np.mean(seed_only)) / actual
    yield Figure(7, "fixed split, claimed / actual error", claimed, 0.8, 1.15, spread * claimed)
    yield Figure(7, "fixed split, seed-only / actual error", alone, None, 0.7, spread * alone)
    what = "control, fixed split, seed-only error, gain at the margin: PASS"
    yield _share(7, what, passed_by_seeds / pools, pools, least=0.15)
    yield _share(7, "resplit, gain at the margin: PASS", passed / pools, pools, most=0.09)


def _passes(seen: Evidence, population: Population) -> bool:
    return judge_f1(seen, population.gain, budget=MOST_PAIRS).verdict is Verdict.PASS


def _share(
    item: int,
    what: str,
    value: float,
    trials: int,
    *,
    least: float | None = None,
    most: float | None = None,
) -> Figure:
    promised = least if least is not None else most or 0.0
    error = math.sqrt(max(promised * (1 - promised), 1 / trials) / trials)
    return Figure(item, what, value, least, most, error)
