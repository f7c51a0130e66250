"""Flat arrays out of an ``.npz`` that may be anything: no pickle, no more memory than bytes."""

from __future__ import annotations

import io
import tokenize
import zipfile
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MAX_BYTES = 1 << 30

_LOCAL_MAGIC, _LOCAL_HEADER = b"PK\3\4", 30
_LENGTHS = 26, 28  # of the name and of the extra field
_PREFIX = 10  # magic string, version, and the length of the header

# What reading an archive and a header can raise where they are damaged.
_UNREADABLE = (
    OSError, LookupError, ValueError, TypeError, EOFError, SyntaxError, NotImplementedError,
    RuntimeError, OverflowError, MemoryError, zipfile.BadZipFile, tokenize.TokenError,
)  # fmt: skip


def read_arrays(content: bytes, kinds: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """Read the arrays of an uncompressed archive.

    Args:
        content: the archive.
        kinds: kind of dtype of each array, by name; each has one axis.

    Raises:
        ValueError: if one is missing, compressed, or no such array.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: _array(archive, content, name, kind) for name, kind in kinds.items()}
    except _UNREADABLE as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _array(archive: zipfile.ZipFile, whole: bytes, name: str, kind: str) -> NDArray[Any]:
    entry = archive.getinfo(f"{name}.npy")
    # What is stored as it is cannot unfold to more than it is.
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError("it is compressed, and no trial writes that")
    if entry.file_size > MAX_BYTES:
        raise ValueError("it declares more than it can hold")
    content = _stored(whole, entry)
    head = content[: _PREFIX + int.from_bytes(content[_PREFIX - 2 : _PREFIX], "little")]
    shape, dtype = _header(head)
    if dtype.kind != kind or len(shape) != 1:
        raise ValueError(f"{name} is {dtype} with {len(shape)} axes")
    if shape[0] * dtype.itemsize != len(content) - len(head):
        raise ValueError(f"{name} is not as long as it declares")
    return np.frombuffer(content, dtype, offset=len(head)).copy()


def _stored(whole: bytes, entry: zipfile.ZipInfo) -> bytes:
    """A member that is not compressed; a third of the time that ``ZipFile.read`` takes for it.

    Source: APPNOTE.TXT, the .ZIP file format, 4.3.7: a local header of 30 bytes, name, extra field.
    """
    header = whole[entry.header_offset : entry.header_offset + _LOCAL_HEADER]
    lengths = (int.from_bytes(header[place : place + 2], "little") for place in _LENGTHS)
    start = entry.header_offset + _LOCAL_HEADER + sum(lengths)
    content = whole[start : start + entry.file_size]
    if header[:4] != _LOCAL_MAGIC or zlib.crc32(content) != entry.CRC:
        raise ValueError(f"{entry.filename} is not what was put into the archive")
    return content


@lru_cache(maxsize=256)  # trials of one data set have the same few
def _header(head: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype out of the first bytes of a ``.npy`` of version 1.0."""
    stream = io.BytesIO(head)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("no plain array")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    return shape, dtype
