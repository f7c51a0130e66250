"""A folder as one object: an uncompressed zip, of the same bytes for the same files.

An object store writes an object whole or not at all, so what is one object is never seen in part.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from harness.errors import StoreError
from harness.files import write_whole
from harness.matrix.worker import LOG
from harness.training.checkpoint import LAST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOST_BYTES: Final = 1 << 30
MOST_FILES: Final = 1000
MOST_PARTS: Final = 6
LONGEST: Final = 200
"""Bytes of a part of a name; file systems hold 255, and a draft's name is longer."""
_STAYS_HERE = ("lock", LOG)
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644


def pack(folder: Path, wanted: Callable[[str], bool] = lambda _: True) -> bytes:
    """Make a bundle of a folder's files.

    Args:
        folder: what is packed; links and names that begin with a dot are left out.
        wanted: whether a file or folder directly below is packed, by its name.

    Raises:
        OSError: if a file cannot be read.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as bundle:
        for path in sorted(folder.rglob("*")):
            place = path.relative_to(folder)
            hidden = any(part.startswith(".") for part in place.parts)
            if hidden or not wanted(place.parts[0]) or path.is_symlink() or not path.is_file():
                continue
            member = zipfile.ZipInfo(place.as_posix(), _EPOCH)
            member.external_attr = _MODE << 16
            bundle.writestr(member, path.read_bytes())
    return buffer.getvalue()


def pack_work(work: Path) -> bytes | None:
    """Make a bundle of what lets another machine go on with a trial; None without a checkpoint.

    Raises:
        OSError: if a file cannot be read.
    """
    return pack(work, lambda name: name not in _STAYS_HERE) if (work / LAST).exists() else None


def unpack(content: bytes, folder: Path, where: str) -> None:
    """Write a bundle's files into a folder; nobody vouches for the bundle.

    Args:
        content: the bundle.
        folder: new or empty, and nobody else's.
        where: the bundle's address, for messages.

    Raises:
        StoreError: if it is no bundle, or names a place outside of the folder.
        OSError: if the disk is full.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as bundle:
            members = bundle.infolist()
            _check(members, len(content))
            for member in members:
                write_whole(folder / member.filename, bundle.read(member))
    except _DAMAGED as error:
        raise StoreError(f"is no bundle of a trial: {error}", where=where, mend=_MEND) from error


_MEND = "delete it; the trial is run again when it is needed"
_DAMAGED = (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError)


def _check(members: list[zipfile.ZipInfo], size: int) -> None:
    if len(members) > MOST_FILES:
        raise ValueError(f"more than {MOST_FILES} files")
    # What is stored as it is cannot unfold to more than it is; two members may share bytes.
    if any(one.compress_type != zipfile.ZIP_STORED for one in members):
        raise ValueError("it is compressed, and no bundle is")
    if sum(one.file_size for one in members) > size:
        raise ValueError("its files are larger than itself")
    names = [one.filename for one in members]
    if len(set(names)) != len(names):
        raise ValueError("a file appears twice")
    for name in names:
        parts = PurePosixPath(name).parts
        if (
            name != PurePosixPath(*parts).as_posix()
            or not 0 < len(parts) <= MOST_PARTS
            or any(part in {"..", "/"} or "\\" in part or part.startswith(".") for part in parts)
            or max(len(part.encode()) for part in parts) > LONGEST
        ):
            raise ValueError(f"{name!r} is no name of a file in it")
    folders = {str(above) for name in names for above in PurePosixPath(name).parents}
    for name in folders.intersection(names):
        raise ValueError(f"{name!r} is a file and a folder in it")
