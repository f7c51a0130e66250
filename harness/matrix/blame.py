"""Whose hook raised: the feature that a trial's error comes from."""

from __future__ import annotations

import inspect
import traceback
from typing import TYPE_CHECKING

from harness.feature import FEATURES, HOOKS, Feature

if TYPE_CHECKING:
    from types import CodeType, FrameType


def raised_in(error: BaseException) -> tuple[str, str] | None:
    """Name of the feature and of the hook that an error was raised in, the innermost of several.

    What a hook made and gave away, such as a criterion, counts as the hook. None where the error
    is the loop's own.
    """
    found = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        found = _hook_of(frame) or found
    return found


def _hook_of(frame: FrameType) -> tuple[str, str] | None:
    # A function that a hook has defined is called Class.hook.<locals>.function.
    of_class, _, hook = frame.f_code.co_qualname.partition(".<locals>")[0].rpartition(".")
    if hook not in HOOKS:
        return None
    owner = frame.f_locals.get("self")
    if isinstance(owner, Feature):
        return owner.name, hook
    names = [name for name, kind in FEATURES if _defines(kind, of_class, frame.f_code)]
    return (names[0], hook) if names else None


def _defines(kind: type[Feature], of_class: str, code: CodeType) -> bool:
    return kind.__qualname__ == of_class and inspect.getfile(kind) == code.co_filename
