"""A study in one file that several processes append to, and that outlives any of them.

The lines are those of Optuna's own journal files, so its tools read them. What differs: the lock
is the system's, gone with the process that held it, and a line that a killed process left
unfinished is taken off before the next one is written; it was never acknowledged.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from optuna.storages.journal import BaseJournalBackend

from harness.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_BLOCK = 4096
_LONGEST = 16 << 20
"""Bytes of a line at most; those of a study have hundreds."""
_DEEPEST = 100
"""Lists and objects in each other at most; Optuna copies them with a few frames for each."""


class LockedJournal(BaseJournalBackend):
    """The journal's file.

    Args:
        path: of the file; its folder must be there.

    Raises:
        OSError: if the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(f"{path}.flock")  # Optuna's own lock is called .lock
        self._offsets = [0]
        path.open("ab").close()

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Whole lines from this number on; one that is being written is left for later.

        Raises:
            DataError: if a line is not JSON, too long or nested too deeply; names file and line.
        """
        number = min(log_number_from, len(self._offsets) - 1)
        with self._path.open("rb") as file:
            file.seek(self._offsets[number])
            while line := file.readline(_LONGEST):
                if not line.endswith(b"\n"):
                    if len(line) == _LONGEST:
                        raise self._damaged(number + 1)
                    return
                number += 1
                if number == len(self._offsets):
                    self._offsets.append(self._offsets[-1] + len(line))
                if number > log_number_from:
                    yield self._parse(line, number)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append whole lines; those that end a trial are on the disk when this returns."""
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._lock, self._path.open("r+b") as file:
            file.seek(_end_of_lines(file))
            file.truncate()
            file.write(text.encode())
            file.flush()
            if any("state" in log for log in logs):
                os.fsync(file.fileno())

    def _parse(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._damaged(number) from error
        if not isinstance(found, dict) or _depth(found) > _DEEPEST:
            raise self._damaged(number)
        return found

    def _damaged(self, number: int) -> DataError:
        return DataError.at(
            self._path,
            "is no line of a study",
            line=number,
            mend="name another storage, or another folder",
        )


def _depth(value: Any) -> int:
    """How many lists and objects are in each other."""
    depth, level = 0, [value]
    while level:
        parts = [one.values() if isinstance(one, dict) else one for one in level]
        level = [one for part in parts for one in part if isinstance(one, (dict, list))]
        depth += 1
    return depth


def _end_of_lines(file: BinaryIO) -> int:
    """Where the last whole line ends."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - _BLOCK)
        file.seek(start)
        place = file.read(end - start).rfind(b"\n")
        if place >= 0:
            return start + place + 1
        end = start
    return 0
