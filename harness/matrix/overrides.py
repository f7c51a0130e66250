"""Which margins and budget configuration gives to a candidate instead of the policy's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.config import Override
from harness.errors import HarnessError, UsageError
from harness.feature import make_arm
from harness.selection import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.feature import Feature


def read_overrides(tables: Mapping[str, Override]) -> dict[str, Override]:
    """Read the names of ``[overrides.NAME]``: candidates, with or without their values.

    Returns:
        The tables by selections in alphabetical order, as ``override_of`` looks them up.

    Raises:
        UsageError: naming the table whose feature or field is unknown, or which stands twice.
    """
    found: dict[str, Override] = {}
    for name, table in tables.items():
        where = f"overrides.{name}"
        try:
            key = _joined(map(str, make_arm(parse(name))))
        except HarnessError as error:
            raise UsageError(error.what, where=where, mend=error.mend) from error
        if key in found:
            raise UsageError(f"there are two tables for '{key}'", where=where)
        found[key] = table
    return found


def override_of(candidate: Sequence[Feature], tables: Mapping[str, Override]) -> Override:
    """Find a candidate's table: the one of its very values, else the one of its bare names.

    ``[overrides.swa]`` thus holds for every ``swa[...]`` that has no table of its own; a candidate
    of several features is looked up by all of them: ``[overrides."amp+swa"]``.

    Args:
        candidate: features of the candidate.
        tables: from ``read_overrides``.
    """
    exact = _joined(map(str, candidate))
    bare = _joined(feature.name for feature in candidate)
    return tables.get(exact, tables.get(bare, Override()))


def _joined(selections: Iterable[str]) -> str:
    return "+".join(sorted(selections))
