"""Hashes are the same in every process, and different where content is."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from harness.hashing import bucket, canonical_json, content_key, files_key, unit_interval

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(JSON)
def test_canonical_json_is_json_and_its_own_canonical_form(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


def test_the_order_of_keys_does_not_matter_and_everything_else_does():
    assert content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
    different = [{"a": 1}, {"a": 1.0}, {"a": "1"}, {"a": True}, {"a": [1]}, {"b": 1}, {}, None]
    assert len({content_key(value) for value in different}) == len(different)


def test_numbers_that_are_not_finite_have_no_canonical_form():
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            canonical_json([value])


def test_the_length_is_as_asked():
    assert len(content_key(1)) == 32
    assert content_key(1, 8) == content_key(1)[:8]


def test_hashes_are_the_same_in_processes_of_other_salts():
    code = (
        "from harness.hashing import *; "
        "print(content_key({'a': 1}), bucket('name', 1000), unit_interval('x'))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True,
            check=True,
        ).stdout
        for salt in ("0", "1")
    }
    here = f"{content_key({'a': 1})} {bucket('name', 1000)} {unit_interval('x')}\n"
    assert outputs == {here.encode()}


def test_buckets_are_filled_evenly():
    counts = np.bincount([bucket(f"name_{place}", 16) for place in range(16_000)], minlength=16)
    assert chisquare(counts).pvalue > 1e-3


def test_the_unit_interval_is_covered_evenly():
    draws = [unit_interval(f"text {place}") for place in range(4000)]
    assert kstest(draws, "uniform").pvalue > 1e-3


@given(st.text())
def test_any_text_has_its_place_below_one(text):
    assert 0 <= unit_interval(text) < 1
    assert 0 <= bucket(text, 7) < 7


def test_the_largest_draw_is_still_below_one(monkeypatch):
    class Largest:
        def __init__(self, content):
            del content

        def digest(self):
            return b"\xff" * 32

    monkeypatch.setattr("harness.hashing.hashlib.sha256", Largest)
    assert unit_interval("x") < 1


def test_files_are_known_by_name_content_and_order(tmp_path):
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    keys = [files_key([one, two]), files_key([two, one]), files_key([one])]
    two.write_bytes(b"3")
    keys.append(files_key([one, two]))
    three = tmp_path / "three.py"
    three.write_bytes(b"1")
    keys.append(files_key([three]))
    assert len(set(keys)) == len(keys)


def test_where_one_file_ends_and_the_next_begins_is_part_of_the_key(tmp_path):
    folders = [tmp_path / name for name in ("a", "b")]
    for folder, contents in zip(
        folders, [(b"x\x001\x00y", b"z"), (b"x", b"y\x001\x00z")], strict=True
    ):
        folder.mkdir()
        for name, content in zip(("p", "q"), contents, strict=True):
            (folder / name).write_bytes(content)
    first, second = ([folder / "p", folder / "q"] for folder in folders)
    assert files_key(first) != files_key(second)
    (tmp_path / "p").write_bytes(b"x\x00q\x001\x00z")
    (folders[1] / "q").write_bytes(b"z")
    assert files_key([tmp_path / "p"]) != files_key(second)
