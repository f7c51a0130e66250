"""What the harness says when something is wrong, and the exit code it says it with.

Every error names what was wrong, where (file, line, field) and what to do; the command line
prints it without a traceback.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError

if TYPE_CHECKING:
    from pathlib import Path


class ExitCode(IntEnum):
    """Exit codes of the command line."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    NOT_MEASURED = 4


class HarnessError(Exception):
    """Base of all errors that are meant for the user.

    Args:
        what: what was wrong, in one sentence.
        where: file, file and line, flag or field at which it was wrong.
        mend: what the user can do about it.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.mend:
            parts.append(self.mend)
        return "\n".join(parts)


class UsageError(HarnessError):
    """A flag, a selection or a configuration value that cannot be used."""


class DataError(HarnessError):
    """A data source or a stored data set that cannot be read."""

    @classmethod
    def at(
        cls,
        path: Path | str,
        what: str,
        *,
        line: int | None = None,
        field: str | None = None,
        mend: str | None = None,
    ) -> Self:
        """Build the error for a place inside a file: ``path:line: field 'x': what``."""
        where = str(path) if line is None else f"{path}:{line}"
        return cls(what if field is None else f"field '{field}': {what}", where=where, mend=mend)


class StoreError(HarnessError):
    """A stored result that is not what it claims to be."""


class SlotConflictError(UsageError):
    """Two features of one arm own the same slot."""


class NotMeasuredError(HarnessError):
    """Nothing could be measured: a crash, no data, no such hardware."""

    exit_code = ExitCode.NOT_MEASURED


_HINTS = {
    errno.ENOSPC: "make room and run the same command to go on",
    errno.EDQUOT: "make room and run the same command to go on",
    errno.EACCES: "give a place that may be read and written",
    errno.EPERM: "give a place that may be read and written",
    errno.EROFS: "give a place that can be written",
    errno.EEXIST: "give a place where no file is in the way",
    errno.ENOTDIR: "give a place where no file is in the way",
    errno.EISDIR: "give the path of a file, not of a folder",
    errno.ENOENT: "give a path that is there",
    errno.ENAMETOOLONG: "give a shorter path",
}


def describe_os_error(error: OSError) -> HarnessError:
    """What the system refused, at which path, and what to do about it."""
    where = None if error.filename is None else str(error.filename)
    mend = None if error.errno is None else _HINTS.get(error.errno)
    return HarnessError(error.strerror or str(error), where=where, mend=mend)


def sentence_of(error: ValueError) -> str:
    """What is wrong with a value: of a validation its first field and problem, else all it says."""
    if not isinstance(error, ValidationError):
        return str(error)
    field, what, _ = first_problem(error)
    return f"field '{field}': {what}"


def first_problem(error: ValidationError) -> tuple[str, str, Any]:
    """Field (its path joined by dots, "" for the whole), message and value of the first problem."""
    first = error.errors()[0]
    return ".".join(map(str, first["loc"])), first["msg"], first["input"]
