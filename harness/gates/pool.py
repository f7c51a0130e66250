"""One F1 test over kinds of hardware: the same seeds, the mean difference of all kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.gates.f1 import Contributions
from harness.gates.f1_gate import Evidence, F1Result, judge_f1
from harness.gates.inputs import GateInputError

if TYPE_CHECKING:
    from collections.abc import Sequence


def pool_hardware(results: Sequence[F1Result]) -> F1Result:
    """Judge one model on one data set on pairs pooled over hardware.

    d_k is the mean over hardware of that seed's differences, and c_ki likewise. Kinds of hardware
    are not independent evidence (same seed, same split), so they do not count as more pairs.
    Seeds that some hardware lacks are left out. Hardware on which a neutral feature is IDENTICAL
    needs no more pairs: its further differences are 0.

    Args:
        results: the F1 result of each kind of hardware, under the same rules.

    Raises:
        GateInputError: if there is none, or they were judged under different rules.
    """
    rules = {(result.decision.margin, result.neutral, result.decision.budget) for result in results}
    if len(rules) != 1:
        raise GateInputError(f"{len(rules)} sets of margins where one is wanted", where="results")
    if len(results) == 1:
        return results[0]
    margin, neutral, budget = rules.pop()
    going = [result for result in results if not (neutral and result.identical)]
    if not going:
        return results[0]
    seen = [result.evidence for result in going]
    seeds = [seed for seed in seen[0].seeds if all(seed in other.seeds for other in seen)]
    rows = [[one.seeds.index(seed) for seed in seeds] for one in seen]
    share = 1 / len(results)
    differences = np.zeros(len(seeds))
    for one, places in zip(seen, rows, strict=True):
        differences += share * np.asarray(one.differences)[places]
    pooled = Evidence(
        seeds=tuple(seeds),
        differences=tuple(differences.tolist()),
        contributions=_pooled_contributions(seen, rows, share),
        floor=max(one.floor for one in seen),
    )
    return judge_f1(pooled, margin, neutral=neutral, budget=budget)


def _pooled_contributions(
    seen: Sequence[Evidence], rows: Sequence[list[int]], share: float
) -> Contributions | None:
    tables = [one.contributions for one in seen if one.contributions is not None]
    if len(tables) < len(seen):
        return None
    groups = np.unique(np.concatenate([table.groups for table in tables]))
    values = np.zeros((len(rows[0]), len(groups)))
    for table, places in zip(tables, rows, strict=True):
        values[:, np.searchsorted(groups, table.groups)] += share * table.values[places]
    return Contributions.of(groups, values)
