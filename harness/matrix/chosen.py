"""The JSON records of a plan beside its trials, and which of several versions is kept."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from harness.matrix.received import read_blocks, read_failure, read_figures
from harness.matrix.references import PART, name_of
from harness.seal import sealed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.matrix.inside import Inside
    from harness.matrix.planned import Plan

BLOCKS, FAILURES = "blocks", "failures"
PARTS = (BLOCKS, FAILURES, PART)


def record_names(plan: Plan) -> list[tuple[str, str]]:
    """Part and name of every JSON record that the plan may have."""
    cells = [cell for feature in plan.features for cell in feature.cells if cell.here]
    timings = list(dict.fromkeys(cell.timing for cell in cells))
    splits = {name_of(spec.data, spec.seed) for spec in plan.trials.values()}
    return [
        *((BLOCKS, key) for key in timings),
        *((FAILURES, key) for key in (*plan.trials, *timings)),
        *((PART, name) for name in sorted(splits)),
    ]


def best_record(stores: Iterable[Inside], plan: Plan, part: str, name: str) -> Any:
    """The record to keep: the longest, or of most attempts, and of those the smallest digest.

    Raises:
        StoreError: if one of them is damaged.
    """

    def read(store: Inside) -> Any:
        if part == BLOCKS:
            return read_blocks(store, name, plan.timing.blocks)
        return {FAILURES: read_failure, PART: read_figures}[part](store, name)

    found = [value for store in stores if (value := read(store)) is not None]
    if not found:
        return None

    def rank(value: Any) -> tuple[int, str]:
        length = 0
        if part == BLOCKS:
            length = len(value)
        elif part == FAILURES:
            length = value["attempts"]
        return -length, hashlib.sha256(record_bytes(value)).hexdigest()

    return min(found, key=rank)


def stored_record(part: str, value: Any) -> Any:
    """A record as a store keeps it."""
    return value if part == FAILURES else sealed(value)


def record_bytes(value: Any) -> bytes:
    """The bytes of a record as ``write_json`` writes them."""
    return (json.dumps(value, indent=1) + "\n").encode()
