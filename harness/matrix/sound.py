"""Whether a stored plan agrees with itself: what keys, cells and names say of its trials."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.gates.tables import MOST_PAIRS
from harness.matrix.planned import SPARE_SEEDS, timing_key
from harness.matrix.shapes import PARTS, Shape
from harness.matrix.spec import by_seed
from harness.selection import parse

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.matrix.planned import Plan, PlannedCell, PlannedFeature

FEWEST_PAIRS = 1

_CONTENT = re.compile(r"[0-9a-f]{64}\Z")
_KEY = re.compile(r"[0-9a-f]{32}\Z")


def plan_problem(plan: Plan) -> str:
    """What is wrong with a plan, in one sentence; "" where nothing is."""
    if not FEWEST_PAIRS <= plan.budget <= MOST_PAIRS:
        return f"it allows {plan.budget} pairs of a cell"
    if len(set(plan.hardware)) != len(plan.hardware) or not plan.hardware:
        return "it names no hardware, or one twice"
    if not plan.data or not plan.features:
        return "it names no data set or no feature"
    for content in plan.data:
        if not _CONTENT.match(content):
            return f"{content!r} is no content hash"
    cells = chain.from_iterable(feature.cells for feature in plan.features)
    arms = {keys for keys in chain.from_iterable(cell.arms for cell in cells) if keys}
    fit = {keys for keys in arms if _differ_by_seed(plan, keys)}
    known = set(chain.from_iterable(fit))
    for key, spec in plan.trials.items():
        if key not in known and spec.key != key:
            return f"trial {key} is another one than its key says"
    return next(filter(None, (_feature_problem(plan, one, fit) for one in plan.features)), "")


def _differ_by_seed(plan: Plan, keys: tuple[str, ...]) -> bool:
    """Whether keys are those of trials of the seeds from 0 on, alike in all else."""
    first = plan.trials.get(keys[0])
    if first is None or len(keys) > plan.budget + SPARE_SEEDS:
        return False
    wanted = by_seed(first, len(keys))
    if tuple(wanted) != keys or any(plan.trials.get(key) != wanted[key] for key in keys):
        return False
    # Equal specs have one key, but for 0.0 in the place of -0.0, which their texts tell apart.
    settings = first.settings.model_dump_json()
    return all(plan.trials[key].settings.model_dump_json() == settings for key in keys)


def _feature_problem(plan: Plan, feature: PlannedFeature, fit: Collection[tuple[str, ...]]) -> str:
    wanted = {
        (data, model, kind) for data in plan.data for model in plan.models for kind in plan.hardware
    }
    cells = [(cell.data, cell.model, cell.hardware) for cell in feature.cells]
    if not cells or set(cells) != wanted or len(cells) != len(wanted):
        return f"the cells of {feature.name} are not one for each data set, model and hardware"
    if len(feature.parts) != (PARTS if plan.shape is Shape.PAIRS else 0):
        return f"{feature.name} has {len(feature.parts)} parts, which is not the shape {plan.shape}"
    for cell in feature.cells:
        if not _cell_fits(plan, cell, feature.arms, fit):
            return f"the trials of {feature.name} on {cell.model} are not those of their cell"
    try:
        wanted_arms = _arms(plan, feature)
    except UsageError as error:
        return error.what
    for cell in (one for one in feature.cells if one.here):
        for keys, arm in zip(cell.arms, wanted_arms, strict=True):
            if plan.trials[keys[0]].arm != arm:
                return f"the arms of {feature.name} on {cell.model} are not what its name says"
    return ""


def _arms(plan: Plan, feature: PlannedFeature) -> list[tuple[str, ...]]:
    """The arms that a candidate's cells must have: the reference, the candidate, the parts."""
    candidate = parse(feature.name)
    names = {one.name for one in candidate}
    rest = [one for text in plan.baseline for one in parse(text) if one.name not in names]
    parts = [parse(part) for part in feature.parts]
    added = [(), candidate, *parts]
    return [tuple(sorted(map(str, (*rest, *some)))) for some in added]


def _cell_fits(plan: Plan, cell: PlannedCell, arms: int, fit: Collection[tuple[str, ...]]) -> bool:
    if not cell.here:
        return not any(cell.arms) and bool(_KEY.match(cell.timing))
    if len(cell.arms) != arms or len(set(map(len, cell.arms))) != 1:
        return False
    if not plan.budget <= len(cell.baseline) <= plan.budget + SPARE_SEEDS:
        return False
    for keys in cell.arms:
        if keys not in fit:
            return False
        first = plan.trials[keys[0]]
        if (first.data, first.model, first.hardware) != (cell.data, cell.model, cell.hardware):
            return False
    return cell.timing == timing_key(cell.baseline, cell.candidate, plan.timing)
