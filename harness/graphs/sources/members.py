"""Files of a folder or of a zip archive, read where they are and with bounds.

Nothing is unpacked to the disk and links are not followed. No more is read of a file than its
archive declares, so a bound on what is declared is a bound on what is read.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness.errors import DataError
from harness.graphs.code.graph import MAX_TEXT_BYTES, UnreadableCodeError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator

MAX_MEMBERS = 5_000_000
MAX_TOTAL_BYTES = 8 << 30
"""Of all members of one archive together, unpacked."""

LINK = "links: not followed"
UNSAFE = "names: lead out of the archive"
_ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError,
    ValueError,
)  # fmt: skip

_WAYS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
"""Of compression. LZMA's decoder takes as much memory as the archive declares, up to 4 GiB."""


@dataclass(frozen=True)
class Member:
    """One file.

    Attributes:
        name: path inside the folder or archive, with forward slashes.
        read: gives its bytes; ``UnreadableCodeError`` if there are too many of them,
            ``DataError`` if they cannot be read.
    """

    name: str
    read: Callable[[], bytes]


@contextmanager
def open_members(
    path: Path, suffixes: frozenset[str], counts: Counter[str]
) -> Iterator[list[Member]]:
    """List the files with one of the suffixes, sorted by name; they can be read inside the block.

    Args:
        path: a folder or a zip archive.
        suffixes: such as ``.c``, in lower case.
        counts: gets links and unsafe names, by reason.

    Raises:
        DataError: if there is no such folder or archive, or it cannot be read.
    """
    if path.is_dir():
        yield sorted(_in_folder(path, suffixes, counts), key=lambda member: member.name)
        return
    if not path.is_file():
        raise DataError.at(path, "no such file or folder", mend="give a folder or a zip archive")
    try:
        archive = zipfile.ZipFile(path)
    except _ZIP_ERRORS as error:
        raise DataError.at(path, f"not a zip archive: {error}") from error
    with archive:
        yield sorted(_in_zip(path, archive, suffixes, counts), key=lambda member: member.name)


def _in_folder(path: Path, suffixes: frozenset[str], counts: Counter[str]) -> Iterator[Member]:
    for folder, _, names in os.walk(path, followlinks=False):
        for name in names:
            file = Path(folder, name)
            if file.suffix.lower() not in suffixes:
                continue
            if not stat.S_ISREG(file.lstat().st_mode):
                counts[LINK] += 1
                continue
            yield Member(file.relative_to(path).as_posix(), _file_reader(file))


def _in_zip(
    path: Path, archive: zipfile.ZipFile, suffixes: frozenset[str], counts: Counter[str]
) -> Iterator[Member]:
    entries = archive.infolist()
    if len(entries) > MAX_MEMBERS:
        raise DataError.at(path, f"holds more than {MAX_MEMBERS} files")
    seen: set[str] = set()
    total = 0
    for entry in entries:
        name = PurePosixPath(entry.filename)
        # The name is looked at first: ``is_dir`` cannot take an empty one.
        if name.suffix.lower() not in suffixes or entry.is_dir():
            continue
        total += entry.file_size
        if total > MAX_TOTAL_BYTES:
            raise DataError.at(path, f"unpacks to more than {MAX_TOTAL_BYTES >> 30} GiB")
        if stat.S_ISLNK(entry.external_attr >> 16):
            counts[LINK] += 1
        elif name.is_absolute() or ".." in name.parts or set(entry.filename) & set("\\:"):
            counts[UNSAFE] += 1
        elif str(name) in seen:
            raise DataError.at(path, f"holds two files called '{name}'")
        else:
            seen.add(str(name))
            yield Member(str(name), _entry_reader(path, archive, entry))


def _file_reader(file: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            with file.open("rb") as stream:
                return _bounded(stream.read(MAX_TEXT_BYTES + 1))
        except OSError as error:
            raise DataError.at(file, "the file cannot be read", mend=error.strerror) from error

    return read


def _entry_reader(
    path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo
) -> Callable[[], bytes]:
    where = f"{path}, {entry.filename}"

    def read() -> bytes:
        if entry.compress_type not in _WAYS:
            raise DataError.at(
                where, "the file is compressed in a way that is not read",
                mend="make the archive anew: zip's own way is deflate",
            )  # fmt: skip
        try:
            with archive.open(entry) as stream:
                content = stream.read(MAX_TEXT_BYTES + 1)
        except _ZIP_ERRORS as error:
            raise DataError.at(where, "the file cannot be unpacked", mend=str(error)) from error
        return _bounded(content)

    return read


def _bounded(content: bytes) -> bytes:
    if len(content) > MAX_TEXT_BYTES:
        raise UnreadableCodeError("the text is longer than 1 MiB")
    return content
