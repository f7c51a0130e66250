"""Files that are written whole or not at all, and read with errors that say where."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from harness.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_JSON_BYTES = 64 << 20


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part.

    Raises:
        OSError: if the disk is full or the folder cannot be written; the old file is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft_of(path)
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException as error:
        with suppress(OSError):
            draft.unlink()
        # A full disk names no file, and a read-only one the draft, of which nobody knows.
        if isinstance(error, OSError) and error.filename in (None, str(draft)):
            error.filename = str(path)
        raise


def _draft_of(path: Path) -> Path:
    """A new name beside ``path``; unlike those of ``tempfile``, its file is for others to read."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def write_json(path: Path, value: Any) -> None:
    """Write JSON data whole, indented, keys in the order given; NaN is refused."""
    write_whole(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def size_of(path: Path) -> int:
    """Bytes of a plain file.

    Raises:
        OSError: if there is none, or it is a folder, or what may never end: a pipe, a device.
    """
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "is no plain file", str(path))
    return found.st_size


def read_json(path: Path) -> Any:
    """Read a JSON file of at most 64 MiB.

    Raises:
        DataError: if the file is missing, too large or not JSON; names file, line and column.
    """
    try:
        if size_of(path) > MAX_JSON_BYTES:
            raise DataError.at(path, f"larger than {MAX_JSON_BYTES >> 20} MiB")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise DataError.at(path, f"cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        what = f"not JSON: {error.msg} (column {error.colno})"
        raise DataError.at(path, what, line=error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise DataError.at(path, f"not JSON: {error}") from error


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """Give a folder to fill that takes its final name only when the block ends without error.

    If another writer was first, its folder stays and this one is dropped: both hold the same
    content, since names are content keys.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft_of(path)
    draft.mkdir()
    try:
        yield draft
        try:
            draft.rename(path)
        except OSError:
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
