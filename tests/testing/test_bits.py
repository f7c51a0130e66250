"""The comparison that the contract rests on sees every bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from harness.testing import differences


class Model(BaseModel):
    count: int = 1
    train_seconds: float = 0.0


@dataclass
class Record:
    name: str
    value: object = None


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN)
def test_a_value_is_the_same_as_itself(value):
    assert differences(value, value) == []
    assert differences([value, Record("a", value)], [value, Record("a", value)]) == []


@given(st.lists(st.floats(width=32), min_size=1), st.data())
def test_one_bit_of_a_tensor_is_seen(values, data):
    first = torch.tensor(values, dtype=torch.float32)
    second = first.clone()
    place, bit = data.draw(st.integers(0, len(values) - 1)), data.draw(st.integers(0, 31))
    second.view(torch.int32)[place] ^= -(2**31) if bit == 31 else 2**bit
    both_nan = bool(first[place].isnan() and second[place].isnan())
    wanted = [] if both_nan else [f"value: 1 of {len(values)} entries differ"]
    assert differences(first, second) == wanted


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (1, 1.0, "value: int against float"),
        (1, True, "value: int against bool"),
        (0.0, -0.0, "value: 0.0 against -0.0"),
        (0.1 + 0.2, 0.3, "value: 0.30000000000000004 against 0.3"),
        ("a", "b", "value: 'a' against 'b'"),
        (None, 0, "value: NoneType against int"),
        ([1, 2], [1], "value: 2 entries against 1"),
        ([1, 2], [1, 3], "[1]: 2 against 3"),
        ({"a": {"b": [1]}}, {"a": {"b": [2]}}, "a.b[0]: 1 against 2"),
        ({"a": 1}, {"b": 1}, "a: only in the first"),
        (np.zeros(2, "f4"), np.zeros(2, "f8"), "value: float32[2] against float64[2]"),
        (np.zeros(2), np.zeros((2, 1)), "value: float64[2] against float64[2, 1]"),
        (np.array([1, 2]), np.array([1, 3]), "value: 1 of 2 entries differ"),
        (np.array([0.0]), np.array([-0.0]), "value: 1 of 1 entries differ"),
        (Model(), Model(count=2), "count: 1 against 2"),
        (Record("a", [1]), Record("a", [2]), "value[0]: 1 against 2"),
        (torch.zeros(1), np.zeros(1, "f4"), None),
        ((1, 2), [1, 2], None),
    ],
)
def test_differences_are_named_by_their_place(first, second, said):
    found = differences(first, second)
    assert found[:1] == ([said] if said else [])


def test_nan_is_nan():
    assert differences(float("nan"), float("nan")) == []
    assert differences(torch.tensor([float("nan"), 1]), torch.tensor([float("nan"), 1])) == []
    assert differences(torch.tensor([float("nan")]), torch.tensor([1.0]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int64, torch.bool])
def test_every_kind_of_tensor_is_read(dtype):
    first, second = torch.tensor([0, 1], dtype=dtype), torch.tensor([1, 1], dtype=dtype)
    assert differences(first, first.clone()) == []
    assert differences(first, second) == ["value: 1 of 2 entries differ"]


def test_wall_times_are_left_out_at_any_depth_unless_asked_for():
    first, second = [Model(train_seconds=1.0)], [Model(train_seconds=2.0)]
    assert differences(first, second) == []
    assert differences(first, second, ignore=frozenset()) == ["[0].train_seconds: 1.0 against 2.0"]
