"""A sealed record gives back what was put in, or says that it is another one."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.seal import DIGEST, sealed, unsealed

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
RECORDS = st.dictionaries(
    st.text().filter(lambda name: name != DIGEST),
    st.recursive(PLAIN.filter(lambda one: one not in (float("inf"), -float("inf"))), st.lists),
)


@given(RECORDS | st.lists(RECORDS))
def test_what_was_sealed_and_written_reads_back(record):
    assert unsealed(json.loads(json.dumps(sealed(record)))) == record


@given(st.data(), RECORDS)
def test_a_flipped_bit_is_noticed_or_harmless(data, record):
    content = bytearray(json.dumps(sealed(record)).encode())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        damaged = json.loads(content)
    except ValueError:
        return
    # A digest that lost its name is a member too many, which no record of the store allows.
    if DIGEST in damaged:
        try:
            assert unsealed(damaged) == record
        except ValueError as error:
            assert "damaged" in str(error) or "Out of range" in str(error)  # noqa: PT017


def test_one_damaged_record_of_a_list_is_noticed():
    blocks = sealed([{"seconds": 1.0}, {"seconds": 2.0}])
    blocks[1]["seconds"] = 3.0
    with pytest.raises(ValueError, match="damaged"):
        unsealed(blocks)


def test_what_an_earlier_version_wrote_is_taken_as_it_is():
    assert unsealed({"seconds": 1.0}) == {"seconds": 1.0}


@pytest.mark.parametrize(
    "nested", ['{"digest": "", "x": %s}', "%s", '[{"digest": "", "x": %s}]'],
    ids=["an object", "lists", "a list of objects"],
)  # fmt: skip
def test_no_depth_at_which_json_can_be_parsed_is_more_than_an_error(nested):
    # Writing needs a few more frames than parsing: the depths just below the limit are the ones.
    said = set()
    for depth in range(1, sys.getrecursionlimit()):
        try:
            value = json.loads(nested % ("[" * depth + "]" * depth))
        except RecursionError:
            continue
        try:
            unsealed(value)
        except ValueError as error:
            said.add(str(error).split(":")[0])
    assert "is nested too deeply" in said
