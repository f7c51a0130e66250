"""JSONL files: one JSON object a line, read with bounds and with errors that name the place."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from harness.errors import DataError
from harness.graphs.code.graph import UnreadableCodeError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from harness.graphs.build import Sample
    from harness.graphs.sources.base import Progress
    from harness.graphs.sources.broken import Broken

MAX_LINE = 16 << 20
"""Longest line in bytes; its objects take up to some twenty times that in memory."""

READ = "read"
MOST_NAMES = 20
_GRAPH_FIELDS = frozenset({"ast_nodes", "edge_index", "graph_cls"})
_STRIDE = 64


@dataclass(frozen=True)
class Record:
    """One line's object, and where it stands."""

    path: Path | str
    line: int | None
    values: Mapping[str, Any]

    def error(self, what: str, field: str) -> DataError:
        """The error for a field of this record."""
        return DataError.at(self.path, what, line=self.line, field=field)

    def first(self, *names: str) -> tuple[str, Any]:
        """The first of several fields that is there and not null; the first name if none is."""
        for name in names:
            if self.values.get(name) is not None:
                return name, self.values[name]
        return names[0], None

    @property
    def holds_graph(self) -> bool:
        """Whether the record has a field of a graph, and not a text alone."""
        return not _GRAPH_FIELDS.isdisjoint(self.values)

    def text(self, *names: str) -> str:
        """Text of the first of several fields; "" where none is there.

        Lone surrogates, which JSON can hold and no file can, become question marks.

        Raises:
            DataError: if the field holds something else than a text.
        """
        name, value = self.first(*names)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.error("is not a text", name)
        return value.encode("utf-8", "replace").decode()

    def label(self, *names: str) -> int:
        """A label, 0 or 1, written as number, boolean or text.

        Raises:
            DataError: if no field is there, or it is none of these.
        """
        name, value = self.first(*names)
        if value is None:
            raise self.error("is missing", " or ".join(names))
        if isinstance(value, str | int | float) and value in (0, 1, "0", "1"):
            return int(value)
        raise self.error("is neither 0 nor 1", name)

    def number(self, name: str) -> float | None:
        """A finite number, or None where the field is not there.

        Raises:
            DataError: if it is something else.
        """
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if math.isfinite(number):
                return number
        raise self.error("is not a finite number", name)


def read_samples(
    path: Path,
    sample_of: Callable[[Record], Sample],
    counts: Counter[str],
    broken: Broken,
    progress: Progress,
) -> Iterator[Sample]:
    """Read a JSONL file line by line; blank lines are passed over.

    Args:
        path: of the file.
        sample_of: makes a sample of a record, or raises ``DataError`` for a broken one and
            ``UnreadableCodeError`` for a sound one that gives no graph.
        counts: gets the lines read, and those left out by reason.
        broken: takes the errors of broken lines.
        progress: told the bytes read.

    Raises:
        DataError: if the file cannot be read; for a broken line, whatever ``broken`` makes of it.
    """
    try:
        with path.open("rb") as file:
            total = path.stat().st_size
            for number, line in enumerate(_lines(file), start=1):
                if number % _STRIDE == 0:
                    progress(file.tell(), total, "bytes")
                if line is not None and not line.strip():
                    continue
                counts[READ] += 1
                try:
                    yield sample_of(_record(path, number, line))
                except DataError as error:
                    broken.note(error)
                except UnreadableCodeError as error:
                    counts[str(error)] += 1
            progress(total, total, "bytes")
    except OSError as error:
        raise DataError.at(path, f"cannot be read: {error.strerror}") from error
    broken.check(path, counts[READ], "lines")


def first_record(path: Path) -> Record | None:
    """The first record of a file; None if there is none, or if it is not JSONL."""
    try:
        return _first(path)
    except DataError:
        return None


def fields_seen(path: Path) -> str:
    """The fields of a file's first record, for a user whose file no source reads.

    Raises:
        DataError: if there is none, saying why.
    """
    names = sorted(_first(path).values)
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(name[:MOST_NAMES] for name in names[:MOST_NAMES]) + more or "none"


def _first(path: Path) -> Record:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(_lines(file), start=1):
                if line is None or line.strip():
                    return _record(path, number, line)
    except OSError as error:
        raise DataError.at(path, f"cannot be read: {error.strerror}") from error
    raise DataError.at(path, "is empty", mend="give a file with a JSON object a line")


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Lines of a file, None for one that is too long; never more than ``MAX_LINE`` in memory."""
    while line := file.readline(MAX_LINE + 1):
        if len(line) <= MAX_LINE:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE)
        yield None


def _record(path: Path, number: int, line: bytes | None) -> Record:
    if line is None:
        raise DataError.at(path, f"the line is longer than {MAX_LINE >> 20} MiB", line=number)
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        mend = f"see column {error.colno}"
        raise DataError.at(path, f"not JSON: {error.msg}", line=number, mend=mend) from error
    except RecursionError as error:
        raise DataError.at(path, "not JSON: nested too deeply", line=number) from error
    except UnicodeDecodeError as error:
        raise DataError.at(path, "not JSON: not UTF-8", line=number) from error
    except ValueError as error:  # the interpreter's limit on digits
        raise DataError.at(path, "not JSON: a number is too long", line=number) from error
    if not isinstance(values, dict):
        raise DataError.at(path, "not a JSON object", line=number)
    return Record(path, number, values)


def file_key(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError.at(
            path, f"cannot be read: {error.strerror}", mend="give the path of an existing file"
        ) from error
