"""Flat arrays out of an ``.npz`` that may be anything: no pickle, no more memory than bytes."""

from __future__ import annotations

import io
import tokenize
import zipfile
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MAX_BYTES = 1 << 30

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
        with zipfile.ZipFile(io.BytesIO(content)) as members:
            return {name: _array(members, name, kind) for name, kind in kinds.items()}
    except _UNREADABLE as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _array(members: zipfile.ZipFile, name: str, kind: str) -> NDArray[Any]:
    entry = members.getinfo(f"{name}.npy")
    # What is stored as it is cannot unfold to more than it is.
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError("it is compressed, and no trial writes that")
    if entry.file_size > MAX_BYTES:
        raise ValueError("it declares more than it can hold")
    content = members.read(entry)
    head = content[: _PREFIX + int.from_bytes(content[_PREFIX - 2 : _PREFIX], "little")]
    shape, dtype = _header(head)
    if dtype.kind != kind or len(shape) != 1:
        raise ValueError(f"{name} is {dtype} with {len(shape)} axes")
    if shape[0] * dtype.itemsize != len(content) - len(head):
        raise ValueError(f"{name} is not as long as it declares")
    return np.frombuffer(content, dtype, offset=len(head)).copy()


@lru_cache(maxsize=256)  # trials of one data set have the same few
def _header(head: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype out of the first bytes of a ``.npy`` of version 1.0."""
    stream = io.BytesIO(head)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("no plain array")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    return shape, dtype
