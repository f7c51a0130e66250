"""The selection grammar: what is written reads back, and what is no selection is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.selection import (
    Selection,
    is_name,
    parse,
    parse_list,
    parse_single,
    split_list,
    write,
)

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**60), 10**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
SELECTIONS = st.builds(Selection, NAMES, st.dictionaries(NAMES, SCALARS, max_size=4))


@given(st.lists(SELECTIONS, min_size=1, max_size=4))
def test_what_is_written_reads_back_the_same(selections):
    text = write(tuple(selections))
    read = parse(text)
    assert [one.name for one in read] == [one.name for one in selections]
    for got, wanted in zip(read, selections, strict=True):
        assert got == wanted
        assert dict(got.values) == dict(wanted.values)
        assert {key: type(value) for key, value in got.values.items()} == {
            key: type(value) for key, value in wanted.values.items()
        }


@given(st.lists(st.lists(SELECTIONS, min_size=1, max_size=2), max_size=3))
def test_lists_are_split_at_their_commas_alone(arms):
    text = ", ".join(write(tuple(arm)) for arm in arms)
    assert parse_list(text) == [tuple(arm) for arm in arms]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("amp", [("amp", {})]),
        ("amp[dtype=bf16]+swa", [("amp", {"dtype": "bf16"}), ("swa", {})]),
        (" swa [ start = 0.5 , anneal=2 ] ", [("swa", {"start": 0.5, "anneal": 2})]),
        ("a[x=1e-3,y=.5,z=-2,w=+3]", [("a", {"x": 1e-3, "y": 0.5, "z": -2, "w": 3})]),
        ("a[x=true,y=False,z=none]", [("a", {"x": True, "y": False, "z": None})]),
        ('a[x="true",y="1",z=""]', [("a", {"x": "true", "y": "1", "z": ""})]),
        ('a[x="b,c]+[d"]', [("a", {"x": "b,c]+[d"})]),
        ("a[]", [("a", {})]),
        ("a[x=/data/set-1.zip]", [("a", {"x": "/data/set-1.zip"})]),
        ("a[x=1e-300,y=1e+22]", [("a", {"x": 1e-300, "y": 1e22})]),
        ("a[x=1e]", [("a", {"x": "1e"})]),
    ],
)
def test_examples(text, wanted):
    assert parse(text) == tuple(Selection(*one) for one in wanted)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no name"),
        ("Amp", "'Amp' is no name in the selection 'Amp'"),
        ("amp+", "'' is no name"),
        ("amp[dtype=bf16", "not closed"),
        ("amp]", "brackets do not match at character 4"),
        ("amp[[x=1]]", "brackets do not match at character 5"),
        ("amp[dtype]", "'dtype' is no field=value"),
        ("amp[=1]", "'=1' is no field=value"),
        ("amp[a=1,a=2]", "field 'a' is given twice"),
        ("amp[a=b c]", "'b c' cannot stand"),
        ('amp[a="b]', "a quote is not closed"),
        ('amp[a="b" "c"]', "is no quoted text"),
        ("amp[a=1]x", "not closed"),
        ("a[x=1]+b[x=?]", "'\\?' cannot stand"),
        ("a[x=1e999]", "1e999 is too large a number"),
        ("a[x=-1e999]", "-1e999 is too large a number"),
    ],
)
def test_what_is_no_selection_is_named(text, message):
    with pytest.raises(UsageError, match=message):
        parse(text)


@given(st.text(max_size=60) | st.text(alphabet='ab[]=,+"\\ .1e', max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        read = parse_list(text)
    except UsageError:
        return
    assert parse_list(", ".join(map(write, read))) == read


def test_one_name_is_one_name():
    assert parse_single("gat[heads=2]") == Selection("gat", {"heads": 2})
    with pytest.raises(UsageError, match="'gat\\+gcn' joins 2 names where one is wanted"):
        parse_single("gat+gcn")


def test_lists_are_bounded_and_may_have_empty_parts():
    assert split_list(" a, ,b[x=1,y=2],") == ["a", "b[x=1,y=2]"]
    assert parse_list("") == []
    with pytest.raises(UsageError, match="at most 4096 characters"):
        parse_list("a," * 3000)


@given(SELECTIONS, SELECTIONS)
def test_equal_selections_are_those_that_are_written_alike(one, other):
    assert (one == other) == (str(one) == str(other))
    assert one == Selection(one.name, dict(reversed(one.values.items())))
    if one == other:
        assert hash(one) == hash(other)
    assert one != str(one)


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), (0.0, -0.0), ("1", 1)])
def test_values_of_different_types_are_different(one, other):
    assert Selection("a", {"x": one}) != Selection("a", {"x": other})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("amp", True), ("a1_b", True), ("Amp", False), ("1a", False), ("a-b", False), ("", False),
     ("a\n", False), (None, False), (3, False)],
)  # fmt: skip
def test_names(text, wanted):
    assert is_name(text) is wanted
