"""Work that makes very many objects and hardly a cycle, without the search for cycles."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def uncollected() -> Iterator[None]:
    """Let the cyclic garbage collector rest until the block ends.

    It walks all objects that are alive again and again: with ten thousand trials read, a tenth of a
    report's time. What no cycle holds is freed as ever.

    Source: https://docs.python.org/3/library/gc.html.
    """
    rested = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if rested:
            gc.enable()
