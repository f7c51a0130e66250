"""Arrays of an archive: what numpy reads, whatever else is in it, and nothing half."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.matrix.arrays import read_arrays

KINDS = {"index": "i", "probability": "f"}


def written(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


some_arrays = st.fixed_dictionaries(
    {
        "index": hnp.arrays(np.int64, st.integers(0, 30)),
        "probability": hnp.arrays(np.float32, st.integers(0, 30)),
    }
)


@given(some_arrays, st.binary(max_size=20))
def test_they_are_what_numpy_reads(arrays: dict[str, Any], before: bytes):
    # Other bytes may stand before an archive, and move all that is in it.
    found = read_arrays(before + written(arrays), KINDS)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@given(some_arrays, st.data())
def test_a_flipped_bit_is_refused_or_changes_nothing(arrays: dict[str, Any], data: st.DataObject):
    content = bytearray(written(arrays))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = read_arrays(bytes(content), KINDS)
    except ValueError:
        return
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"index": np.zeros(3, np.int64)}, "probability"),
        ({"index": np.zeros((1, 3), np.int64), "probability": np.zeros(3, np.float32)}, "2 axes"),
        ({"index": np.zeros(3), "probability": np.zeros(3, np.float32)}, "float64"),
    ],
    ids=["missing", "two axes", "another kind"],
)
def test_other_arrays_are_refused(arrays: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        read_arrays(written(arrays), KINDS)


def test_a_member_that_declares_more_than_there_is_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.npy", written({"index": np.zeros(3, np.int64)}))
        archive.getinfo("index.npy").file_size = 1 << 29
    with pytest.raises(ValueError, match="not what was put into the archive"):
        read_arrays(buffer.getvalue(), {"index": "i"})
