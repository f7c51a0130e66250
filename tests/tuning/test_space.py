"""The grammar of a search space."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.tuning.space import MOST_CHOICES, MOST_ENTRIES, Entry, parse_space


def test_ranges_choices_and_names_are_read():
    text = (
        "learning_rate=1e-4..1e-2:log, hidden=32|64|128, param_groups.encoder=0.1..1, "
        "layers=2..8:step=2, swa.start?=0..0.5"
    )
    assert parse_space(text) == (
        Entry("learning_rate", low=1e-4, high=1e-2, log=True),
        Entry("hidden", choices=(32, 64, 128)),
        Entry("param_groups.encoder", low=0.1, high=1),
        Entry("layers", low=2, high=8, step=2),
        Entry("swa.start", optional=True, low=0, high=0.5),
    )


def test_choices_are_values_as_selections_read_them():
    (entry,) = parse_space('amp.dtype=bf16|true|none|0.5|7|"a, b|c"|"x..y"')
    assert entry.choices == ("bf16", True, None, 0.5, 7, "a, b|c", "x..y")


def test_one_choice_is_a_fixed_value_and_spaces_do_not_matter():
    assert parse_space(" hidden = 64 ,") == (Entry("hidden", choices=(64,)),)


def test_ranges_below_zero():
    (entry,) = parse_space("x.y=-1.5..-0.5")
    assert (entry.low, entry.high) == (-1.5, -0.5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        (" , ", "is empty"),
        ("hidden", "no name with values"),
        ("hidden=", "no name with values"),
        ("=1..2", "no name with values"),
        ("Hidden=1..2", "no name with values"),
        ("a.b.c=1..2", "no name with values"),
        ("../x=1..2", "no name with values"),
        ("hidden=2..1", "2 is not below 1"),
        ("hidden=1..1", "1 is not below 1"),
        ("learning_rate=0..1:log", "must begin above 0"),
        ("learning_rate=a..b", "'a' is no number"),
        ("learning_rate=1..true", "'true' is no number"),
        ("layers=1..4:step=2", "do not lead from 1 to 4"),
        ("layers=1..4:step=0", "do not lead"),
        ("layers=0..1:step=1e-320", "do not lead"),
        ("layers=-1e308..1e308:step=1", "do not lead"),
        ("layers=0..1e999", "is no value"),
        ("layers=1..4:step=-1", "do not lead"),
        ("hidden=32||64", "'' is no value"),
        ("hidden=|32", "'' is no value"),
        ("hidden=32|32", "stands twice"),
        ("hidden=32, hidden=64", "'hidden' stands twice"),
        ("learning_rate=1e-4..1e-2:lag", "no number"),
        ("a=$(rm)|b", "is no value"),
        ('a="x', "quote is not closed"),
        (", ".join(f"a{n}=1..2" for n in range(MOST_ENTRIES + 1)), "more than"),
        ("a=" + "|".join(map(str, range(MOST_CHOICES + 1))), "more than"),
        ("a=1..2," * 1000, "longer than"),
    ],
)
def test_what_cannot_be_read_is_named(text, says):
    with pytest.raises(UsageError) as caught:
        parse_space(text)
    assert says in str(caught.value)


def test_an_error_says_where_and_how_to_write_it():
    with pytest.raises(UsageError) as caught:
        parse_space("hidden=64, layers=4..2")
    assert caught.value.where == "search space, entry 'layers=4..2'"
    assert "write entries by commas" in caught.value.mend


def test_two_points_in_a_path_make_no_range():
    (paths,) = parse_space("param_groups.pretrained=../a.pt|../b.pt")
    assert paths.choices == ("../a.pt", "../b.pt")
    (one,) = parse_space('param_groups.pretrained="../a.pt"')
    assert one.choices == ("../a.pt",)
    assert str(one) == 'param_groups.pretrained="../a.pt"'


numbers = st.floats(-1e6, 1e6, allow_nan=False) | st.integers(-1000, 1000)
scalars = numbers | st.booleans() | st.none() | st.text(max_size=8)
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}(\.[a-z][a-z0-9_]{0,8})?", fullmatch=True)


@example(name="a", optional=False, choices=[0.0, "..0"])
@example(name="a", optional=False, choices=["0..0"])
@example(name="a", optional=False, choices=['..\\u2028"|'])
@given(names, st.booleans(), st.lists(scalars, min_size=1, max_size=5, unique_by=repr))
def test_choices_are_read_back_as_they_are_written(name, optional, choices):
    entry = Entry(name, optional, choices=tuple(choices))
    if len({(type(one), one) for one in choices}) < len(choices):
        return  # 0.0 and -0.0
    (read,) = parse_space(str(entry))
    assert str(read) == str(entry)
    assert read.choices == entry.choices


@given(names, numbers, numbers, st.booleans())
def test_ranges_are_read_back_as_they_are_written(name, one, other, log):
    low, high = sorted((one, other))
    if low == high or (log and low <= 0):
        return
    entry = Entry(name, low=low, high=high, log=log)
    assert parse_space(str(entry)) == (entry,)
