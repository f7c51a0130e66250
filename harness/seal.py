"""Stored records that carry their own digest, so that a bit that flipped on the disk is noticed."""

from __future__ import annotations

from typing import Any

from harness.hashing import content_key

DIGEST = "digest"


def sealed(value: Any) -> Any:
    """A JSON object with its digest as one more member; a list of objects, each with its own."""
    if isinstance(value, list):
        return [sealed(one) for one in value]
    return {**value, DIGEST: content_key(value)}


def unsealed(value: Any) -> Any:
    """What ``sealed`` was given. What has no digest is taken as it is: earlier versions wrote none.

    Raises:
        ValueError: if it is not what was written, or lists and objects in it are nested so deeply
            that it could only just be parsed.
    """
    try:
        return _unsealed(value)
    except RecursionError as error:
        raise ValueError(f"is nested too deeply: {error}") from error


def _unsealed(value: Any) -> Any:
    if isinstance(value, list):
        return [_unsealed(one) for one in value]
    if not isinstance(value, dict) or DIGEST not in value:
        return value
    content = {name: part for name, part in value.items() if name != DIGEST}
    if content_key(content) != value[DIGEST]:
        raise ValueError("is not what was written: the file is damaged")
    return content
