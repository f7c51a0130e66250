"""Groups files: a CSV table that gives each file its label and its group."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from harness.errors import DataError
from harness.files import size_of
from harness.graphs.sources.broken import Broken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_BYTES = 1 << 30
MAX_LINE = 1 << 20
_WANTED = ("file", "label", "group")


@dataclass(frozen=True)
class GroupRow:
    """What a groups file says of one file.

    Attributes:
        label: 1 is vulnerable.
        group: files of one group stay together in a split.
        usable: False where the file must not be used.
    """

    label: int
    group: str
    usable: bool


def read_groups(path: Path, counts: Counter[str], *, strict: bool) -> Mapping[str, GroupRow]:
    """Read the columns ``file``, ``label``, ``group`` and, where there is one, ``usable``.

    Args:
        path: of the CSV file.
        counts: gets the broken lines by reason, as ``groups file: broken: ...``.
        strict: stop at the first broken line.

    Raises:
        DataError: if the file or one of the columns is missing, or if too many lines are broken.
    """
    own: Counter[str] = Counter()
    broken = Broken(own, strict=strict)
    found: dict[str, GroupRow] = {}
    try:
        if size_of(path) > MAX_BYTES:
            raise DataError.at(path, f"larger than {MAX_BYTES >> 30} GiB")
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.DictReader(_lines(file, path))
            for name in _WANTED:
                if name not in (reader.fieldnames or ()):
                    raise DataError.at(
                        path, f"the column '{name}' is missing", line=1,
                        mend=f"its columns must be {', '.join(_WANTED)} and perhaps usable",
                    )  # fmt: skip
            number = 0
            for row in reader:
                number += 1
                try:
                    _add(found, row, path, reader.line_num)
                except DataError as error:
                    broken.note(error)
    except OSError as error:
        raise DataError.at(path, f"cannot be read: {error.strerror}") from error
    except csv.Error as error:
        raise DataError.at(path, f"not a CSV table: {error}") from error
    broken.check(path, number, "lines")
    counts.update({f"groups file: {reason}": times for reason, times in own.items()})
    return found


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    """Lines of a file, of which none can fill the memory."""
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE and not line.endswith("\n"):
            raise DataError.at(path, "the line is longer than 1 MiB", line=number)
        yield line


def _add(found: dict[str, GroupRow], row: dict[str, str | None], path: Path, line: int) -> None:
    values = {name: (row.get(name) or "").strip() for name in (*_WANTED, "usable")}
    usable = values["usable"] != "0"
    for name in _WANTED if usable else ("file",):
        if not values[name]:
            raise DataError.at(path, "is empty", line=line, field=name)
    for name in ("label", "usable"):
        if values[name] not in {"0", "1", ""}:
            raise DataError.at(path, "is neither 0 nor 1", line=line, field=name)
    if values["file"] in found:
        raise DataError.at(path, "names a file for the second time", line=line, field="file")
    found[values["file"]] = GroupRow(int(values["label"] or 0), values["group"], usable)
