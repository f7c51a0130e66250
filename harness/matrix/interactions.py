"""The interactions of a plan of pairs, read from what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.gates.collapse import partial_collapses
from harness.gates.interaction import Four, Interaction, measure_interaction

if TYPE_CHECKING:
    from harness.matrix.planned import PlannedCell, PlannedFeature
    from harness.matrix.results import Results


def interaction_of(
    results: Results, feature: PlannedFeature, planned: PlannedCell
) -> Interaction | None:
    """Measure the interaction of a pair in one cell, on every seed that all four arms have.

    These can be more seeds than the pair's own gates read: trials are shared, and an earlier run
    may have left some. A seed at which a run of any of the four arms collapsed is left out, by the
    collapse gate's rules.

    Args:
        results: finished trials.
        feature: the pair.
        planned: one of its cells.

    Returns:
        The interaction; None where the feature is no pair, or the cell was not run here.

    Raises:
        StoreError: if a stored result is damaged.
    """
    if not planned.apart:
        return None
    first, second = planned.apart
    arms = (planned.baseline, first, second, planned.candidate)
    seeds = [
        seed
        for seed in range(len(planned.baseline))
        if all(results.has(arm[seed]) for arm in arms)
    ]  # fmt: skip
    known = [results.outcome(key) for key in planned.baseline if results.has(key)]
    bad = {
        run.seed
        for arm in arms
        for run in partial_collapses([results.outcome(arm[seed]) for seed in seeds], known)
        if run.collapsed is not None
    }
    fours = []
    for seed in seeds:
        runs = [found for arm in arms if (found := results.predictions(arm[seed])) is not None]
        if seed in bad or len(runs) < len(arms):
            continue
        fours.append(Four(seed, *runs))
    used = {four.seed for four in fours}
    names = feature.parts[0], feature.parts[1]
    return measure_interaction(fours, names, [seed for seed in seeds if seed not in used])
