"""Entries that cannot be read: counted by reason, unless they are too many."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from harness.errors import DataError

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path


class Broken:
    """Takes the errors of single entries.

    Args:
        counts: gets one count per reason, ``broken: ... (first: FILE:LINE)``.
        strict: raise the first error instead.
    """

    def __init__(self, counts: Counter[str], *, strict: bool) -> None:
        self._counts = counts
        self._strict = strict
        self._found: dict[str, tuple[DataError, int]] = {}

    def note(self, error: DataError) -> None:
        """Take the error of one entry.

        Raises:
            DataError: the error itself, in strict mode.
        """
        if self._strict:
            raise error
        first, number = self._found.get(error.what, (error, 0))
        self._found[error.what] = first, number + 1

    def check(self, path: Path, read: int, what: str) -> None:
        """Count by reason and judge the whole, after the last of ``read`` entries.

        Raises:
            DataError: if more than half of them are broken; shows the first.
        """
        for reason, (first, number) in self._found.items():
            # The file's name alone: counts go into the stored set, which may be moved.
            place = "" if first.where is None else f" (first: {PurePath(first.where).name})"
            self._counts[f"broken: {reason}{place}"] += number
        broken = sum(number for _, number in self._found.values())
        if broken and 2 * broken > read:
            first = next(iter(self._found.values()))[0]
            raise DataError.at(
                path,
                f"{broken} of {read} {what} cannot be read; the first: {first}",
                mend="is this the right format? see: ablate data list",
            )
