"""Flat arrays out of an ``.npz`` that may be anything: no pickle, no more memory than bytes."""

from __future__ import annotations

import io
import tokenize
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MAX_BYTES = 1 << 30

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
    stream = io.BytesIO(members.read(entry))
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is no plain array")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind != kind or len(shape) != 1:
        raise ValueError(f"{name} is {dtype} with {len(shape)} axes")
    rest = stream.read()
    if shape[0] * dtype.itemsize != len(rest):
        raise ValueError(f"{name} is not as long as it declares")
    return np.frombuffer(rest, dtype).copy()
