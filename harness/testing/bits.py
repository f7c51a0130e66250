"""Comparison to the bit: of weights, histories, probabilities and checkpoints."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

WALL_TIMES = frozenset(
    {"train_seconds", "evaluation_seconds", "setup_seconds", "finish_seconds", "times"}
)
"""Fields that hold wall times, which differ between runs that are the same."""


def differences(first: object, second: object, *, ignore: frozenset[str] = WALL_TIMES) -> list[str]:
    """Say where two values differ, to the bit: one line a place, empty where they are the same.

    Reads tensors, arrays, numbers, texts, and mappings, sequences, dataclasses and pydantic
    models of them. NaN is the same as NaN; 1 is not the same as 1.0, nor 0.0 as -0.0.

    Args:
        first: one value.
        second: the other.
        ignore: names of keys and fields that are left out at any depth.
    """
    return list(_compare(first, second, "", ignore))


def _compare(first: Any, second: Any, at: str, ignore: frozenset[str]) -> Iterator[str]:
    first, second = _plain(first), _plain(second)
    place = at or "value"
    if type(first) is not type(second):
        yield f"{place}: {type(first).__name__} against {type(second).__name__}"
    elif isinstance(first, dict):
        yield from _mappings(first, second, at, ignore)
    elif isinstance(first, list):
        if len(first) != len(second):
            yield f"{place}: {len(first)} entries against {len(second)}"
        for number, (one, other) in enumerate(zip(first, second, strict=False)):
            yield from _compare(one, other, f"{at}[{number}]", ignore)
    elif isinstance(first, np.ndarray):
        yield from _arrays(first, second, place)
    elif _key(first) != _key(second):
        yield f"{place}: {first!r} against {second!r}"


def _mappings(
    first: dict[Any, Any], second: dict[Any, Any], at: str, ignore: frozenset[str]
) -> Iterator[str]:
    for key in sorted((first.keys() | second.keys()) - ignore, key=str):
        name = f"{at}.{key}" if at else str(key)
        if key in first and key in second:
            yield from _compare(first[key], second[key], name, ignore)
        else:
            yield f"{name}: only in the {'first' if key in first else 'second'}"


def _key(value: Any) -> Any:
    """What a scalar is compared by: all NaN are one, and 0.0 is not -0.0."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("<d", value)
    return value


def _plain(value: Any) -> Any:
    """The value as array, dict, list or scalar."""
    if isinstance(value, torch.Tensor):
        tensor = value.detach().cpu()
        exact = tensor.view(torch.int16) if tensor.dtype is torch.bfloat16 else tensor
        return exact.numpy()
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _arrays(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any], place: str) -> Iterator[str]:
    if first.dtype != second.dtype or first.shape != second.shape:
        one, other = (f"{array.dtype}{list(array.shape)}" for array in (first, second))
        yield f"{place}: {one} against {other}"
        return
    same = first == second
    if first.dtype.kind == "f":
        same &= np.signbit(first) == np.signbit(second)
        same |= np.isnan(first) & np.isnan(second)
    if not same.all():
        yield f"{place}: {int((~same).sum())} of {first.size} entries differ"
