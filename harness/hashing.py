"""Hashes that are the same in every process, on every machine.

Python's own ``hash()`` of strings is salted per process and is never used.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def canonical_json(value: Any) -> str:
    """Write JSON data in its one canonical form: sorted keys, no spaces, no NaN.

    Raises:
        ValueError: if a number is NaN or infinite.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_key(value: Any, length: int = 32) -> str:
    """Hash JSON data to ``length`` hexadecimal digits (SHA-256 of the canonical form)."""
    return text_key(canonical_json(value), length)


def text_key(text: str, length: int = 32) -> str:
    """Hash a text to ``length`` hexadecimal digits (SHA-256)."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def bucket(text: str, buckets: int) -> int:
    """Map a text to ``range(buckets)``, the hashing trick with CRC-32.

    Source: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009.
    """
    return zlib.crc32(text.encode("utf-8", "replace")) % buckets


def unit_interval(text: str) -> float:
    """Map a text to [0, 1), uniformly over texts: a random draw that follows content alone."""
    draw = int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:8], "big")
    return (draw >> 11) / 2**53  # 53 bits: more would round up to 1


def files_key(files: Iterable[Path], length: int = 16) -> str:
    """Hash the contents of files, named by their base name, in the order given."""
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:length]
