from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.graphs.code.graph import UnreadableCodeError
from harness.graphs.sources import records
from harness.graphs.sources.base import silent
from harness.graphs.sources.broken import Broken
from harness.graphs.sources.records import Record, first_record, read_samples


def texts(path, *, strict=False, progress=silent):
    """Texts of the records' field ``t``, and the counts."""
    counts: Counter[str] = Counter()

    def sample_of(record):
        if record.text("t") == "dull":
            raise UnreadableCodeError("dull")
        return record.text("t")

    broken = Broken(counts, strict=strict)
    return list(read_samples(path, sample_of, counts, broken, progress)), dict(counts)


def test_lines_are_read_in_order_and_blank_ones_passed_over(write_lines):
    path = write_lines({"t": "a"}, "", "  ", {"t": "b"})
    assert texts(path) == (["a", "b"], {"read": 2})


def test_broken_lines_are_counted_by_reason_while_they_are_few(write_lines):
    path = write_lines(
        {"t": "a"}, {"t": "b"}, {"t": "dull"}, "{", "[]", {"t": 1}, {"t": "c"}, b"\xff"
    )
    found, counts = texts(path)
    assert found == ["a", "b", "c"]
    assert counts == {
        "read": 8,
        "dull": 1,
        "broken: not JSON: Expecting property name enclosed in double quotes"
        " (first: data.jsonl:4)": 1,
        "broken: not a JSON object (first: data.jsonl:5)": 1,
        "broken: field 't': is not a text (first: data.jsonl:6)": 1,
        "broken: not JSON: not UTF-8 (first: data.jsonl:8)": 1,
    }


def test_too_many_broken_lines_are_an_error_that_shows_the_first(write_lines):
    path = write_lines({"t": "a"}, {"t": 1}, "{")
    with pytest.raises(DataError) as caught:
        texts(path)
    assert "2 of 3 lines cannot be read" in str(caught.value)
    assert f"{path}:2: field 't': is not a text" in str(caught.value)


def test_in_strict_mode_the_first_broken_line_is_named_with_its_field(write_lines):
    path = write_lines({"t": "a"}, "", {"t": ["x"]})
    with pytest.raises(DataError) as caught:
        texts(path, strict=True)
    assert str(caught.value) == f"{path}:3: field 't': is not a text"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"t": ' + "9" * 10_000 + "}", "a number is too long"),
        ('{"t": "x"', "Expecting"),
        ("nul", "Expecting value"),
    ],
)
def test_what_json_cannot_hold_is_a_broken_line(write_lines, line, reason):
    path = write_lines({"t": "a"}, line)
    found, counts = texts(path)
    assert found == ["a"]
    assert any(reason in name for name in counts), counts


def test_a_line_that_is_too_long_is_broken_and_the_next_one_is_read(write_lines, monkeypatch):
    monkeypatch.setattr(records, "MAX_LINE", 100)
    path = write_lines({"t": "a"}, {"t": "x" * 500}, {"t": "b"}, {"t": "c" * 80})
    found, counts = texts(path)
    assert found == ["a", "b", "c" * 80]
    assert counts == {"read": 4, "broken: the line is longer than 0 MiB (first: data.jsonl:2)": 1}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.jsonl: cannot be read"):
        texts(tmp_path / "gone.jsonl")
    with pytest.raises(DataError, match=r"gone\.jsonl: cannot be read"):
        records.file_key(tmp_path / "gone.jsonl")


def test_progress_ends_with_the_size_of_the_file(write_lines):
    path = write_lines(*[{"t": "a"}] * 200)
    told = []
    texts(path, progress=lambda *state: told.append(state))
    size = path.stat().st_size
    assert told[-1] == (size, size, "bytes")
    assert len(told) == 200 // 64 + 1
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)


def test_the_first_record_is_that_or_nothing(write_lines, tmp_path):
    assert first_record(write_lines("", {"t": "a"}, "{")).values == {"t": "a"}
    assert first_record(write_lines("{", {"t": "a"})) is None
    assert first_record(write_lines(" ")) is None
    assert first_record(tmp_path / "gone") is None
    assert first_record(tmp_path) is None


def record(**values):
    return Record("f", 7, values)


@pytest.mark.parametrize("value", [0, 1, False, True, "0", "1", 0.0, 1.0])
def test_a_label_is_zero_or_one_in_any_form(value):
    assert record(label=value).label("label", "target") == int(float(value))
    assert record(label=None, target=value).label("label", "target") == int(float(value))


@pytest.mark.parametrize("value", [2, -1, 0.5, "yes", "", [1], {}, float("nan"), 10**400])
def test_everything_else_is_no_label(value):
    with pytest.raises(DataError, match="f:7: field 'label': is neither 0 nor 1"):
        record(label=value).label("label")


def test_a_missing_label_names_the_fields_it_could_have_stood_in():
    with pytest.raises(DataError, match="field 'label or target': is missing"):
        record().label("label", "target")


def test_a_text_holds_nothing_that_a_file_cannot():
    assert record(t="a\ud800b").text("t") == "a?b"
    assert record(b="x").text("a", "b") == "x"
    assert record().text("a") == ""


@pytest.mark.parametrize("value", [1, 2.5, -3, 0])
def test_a_number_is_finite(value):
    assert record(n=value).number("n") == value


@pytest.mark.parametrize("value", ["1", True, float("nan"), float("inf"), 10**400, [], {}])
def test_everything_else_is_no_number(value):
    with pytest.raises(DataError, match="is not a finite number"):
        record(n=value).number("n")
    assert record(n=None).number("n") is None


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_are_a_data_error(tmp_path, content):
    path = tmp_path / "any.jsonl"
    path.write_bytes(content)
    try:
        found, counts = texts(path)
    except DataError:
        return
    assert counts.get("read", 0) == len(found) + sum(
        number for name, number in counts.items() if name != "read"
    )
