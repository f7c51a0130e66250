"""Entries that cannot be read: counted by reason, unless they are too many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import DataError

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path


class Broken:
    """Takes the errors of single entries.

    Args:
        counts: gets one count per reason, ``broken: ...``.
        strict: raise the first error instead.
    """

    def __init__(self, counts: Counter[str], *, strict: bool) -> None:
        self._counts = counts
        self._strict = strict
        self._first: DataError | None = None
        self._number = 0

    def note(self, error: DataError) -> None:
        """Count one entry.

        Raises:
            DataError: the error itself, in strict mode.
        """
        if self._strict:
            raise error
        self._first = self._first or error
        self._number += 1
        self._counts[f"broken: {error.what}"] += 1

    def check(self, path: Path, read: int, what: str) -> None:
        """Judge the whole after the last of ``read`` entries.

        Raises:
            DataError: if more than half of them are broken; shows the first.
        """
        if self._first is not None and 2 * self._number > read:
            raise DataError.at(
                path,
                f"{self._number} of {read} {what} cannot be read; the first: {self._first}",
                mend="is this the right format? see: ablate data list",
            )
