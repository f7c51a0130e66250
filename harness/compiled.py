"""Loops compiled to machine code, for what no torch kernel does in one pass over memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

Loop = TypeVar("Loop", bound="Callable[..., Any]")

# Sums may be taken in another order and products fused with them, so that loops run on vectors of
# numbers; infinities and NaN keep their meaning, since a diverging run must be seen.
_FLOAT_RULES = frozenset({"reassoc", "contract", "nsz"})


def compiled(loop: Loop) -> Loop:
    """Compile a loop over arrays on its first call, for each combination of dtypes, and keep it.

    The machine code is cached beside the source file, or in the user's cache directory where that
    cannot be written. Indices are not checked. The loop runs on one thread.
    """
    make: Any = numba.njit(cache=True, error_model="numpy", fastmath=set(_FLOAT_RULES), nogil=True)
    made: Loop = make(loop)
    return made


def compiled_exactly(loop: Loop) -> Loop:
    """Compile a loop likewise, with every operation on floats taken as it is written."""
    make: Any = numba.njit(cache=True, error_model="numpy", nogil=True)
    made: Loop = make(loop)
    return made
