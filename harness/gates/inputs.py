"""Checks of what is given to a gate, with messages that name the argument."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

# Squares of twenty such numbers are still finite in double precision.
_LARGEST = 1e100


class GateInputError(UsageError, ValueError):
    """An argument of a gate that cannot be judged; also a ``ValueError`` for library callers."""


def finite_list(values: Sequence[float] | NDArray[np.floating], name: str) -> list[float]:
    """Read a one-dimensional list of finite numbers.

    Raises:
        GateInputError: if it has another shape, or a value is NaN, infinite or beyond 1e100.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GateInputError(f"no list of numbers: {error}", where=name) from error
    if array.ndim != 1:
        raise GateInputError(f"one number a pair is wanted, not shape {array.shape}", where=name)
    numbers: list[float] = array.tolist()
    for place, number in enumerate(numbers):
        if not abs(number) <= _LARGEST:  # written so that NaN fails too
            raise GateInputError(
                f"the value {number} cannot be judged",
                where=f"{name}[{place}]",
                mend="leave out pairs whose baseline collapsed; a collapsed candidate is a FAIL",
            )
    return numbers


def finite_number(value: float, name: str, *, least: float = -math.inf) -> float:
    """Read one finite number of at least ``least``.

    Raises:
        GateInputError: if it is NaN, infinite or too small.
    """
    number = float(value)
    if not math.isfinite(number) or number < least:
        wanted = "a finite number" if least == -math.inf else f"a finite number from {least} up"
        raise GateInputError(f"{wanted} is wanted, not {value}", where=name)
    return number


def whole_number(value: int, name: str, least: int, most: int) -> int:
    """Read a whole number in ``least..most``.

    Raises:
        GateInputError: if it is none, or lies outside.
    """
    if isinstance(value, bool) or value != int(value) or not least <= value <= most:
        raise GateInputError(
            f"a whole number from {least} to {most} is wanted, not {value}", where=name
        )
    return int(value)


def finite_matrix(values: ArrayLike, name: str, rows: int) -> NDArray[np.float64]:
    """Read a ``[rows, anything]`` matrix of finite numbers.

    Raises:
        GateInputError: if it has another shape, or a value is NaN or infinite.
    """
    try:
        matrix = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GateInputError(f"no matrix of numbers: {error}", where=name) from error
    if matrix.ndim != 2 or len(matrix) != rows:  # noqa: PLR2004 - a matrix has two axes
        raise GateInputError(
            f"shape {matrix.shape} does not fit {rows} differences",
            where=name,
            mend="give one row a pair and one column a gate sample or group",
        )
    if not np.isfinite(matrix).all():
        raise GateInputError("a value is NaN or infinite", where=name)
    return matrix
