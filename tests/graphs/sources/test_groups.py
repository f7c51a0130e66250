from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.graphs.sources.groups import GroupRow, read_groups


@pytest.fixture
def write(tmp_path):
    def made(text: str | bytes):
        path = tmp_path / "groups.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return made


def test_rows_give_label_group_and_whether_a_file_is_usable(write):
    path = write(
        '\ufeffgroup,file,note,label,usable\ng1,a.c,"x, y",1,1\ng1,b.c,,0,\n,c.c,,,0\ng2,d.c,,1,0\n'
    )
    assert read_groups(path, Counter(), strict=True) == {
        "a.c": GroupRow(1, "g1", usable=True),
        "b.c": GroupRow(0, "g1", usable=True),
        "c.c": GroupRow(0, "", usable=False),
        "d.c": GroupRow(1, "g2", usable=False),
    }


def test_a_line_without_an_end_is_named(write):
    with pytest.raises(DataError, match=r"groups\.csv:2: the line is longer than 1 MiB"):
        read_groups(write("file,label,group\n" + "x" * (2 << 20)), Counter(), strict=False)


def test_without_a_column_of_it_every_file_is_usable(write):
    assert read_groups(write("file,label,group\na.c,0,g"), Counter(), strict=True) == {
        "a.c": GroupRow(0, "g", usable=True)
    }


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (",1,g,1", "file", "is empty"),
        ("x.c,,g,1", "label", "is empty"),
        ("x.c,1,,1", "group", "is empty"),
        ("x.c", "label", "is empty"),
        ("x.c,2,g,1", "label", "is neither 0 nor 1"),
        ("x.c,yes,g,0", "label", "is neither 0 nor 1"),
        ("x.c,1,g,no", "usable", "is neither 0 nor 1"),
        ("a.c,1,g,1", "file", "names a file for the second time"),
    ],
)
def test_a_broken_line_names_file_line_and_field(write, row, field, reason):
    path = write(f"file,label,group,usable\na.c,0,g,1\nb.c,0,g,1\n{row}\n")
    with pytest.raises(DataError) as caught:
        read_groups(path, Counter(), strict=True)
    assert str(caught.value) == f"{path}:4: field '{field}': {reason}"
    counts: Counter[str] = Counter()
    assert set(read_groups(path, counts, strict=False)) == {"a.c", "b.c"}
    where = f"{path.name}:4"
    assert counts == {f"groups file: broken: field '{field}': {reason} (first: {where})": 1}


@pytest.mark.parametrize("column", ["file", "label", "group"])
def test_a_missing_column_is_named(write, column):
    header = ",".join({"file", "label", "group"} - {column})
    with pytest.raises(DataError, match=f"the column '{column}' is missing"):
        read_groups(write(f"{header}\n1,1\n"), Counter(), strict=False)


def test_a_file_that_is_mostly_broken_is_refused(write):
    with pytest.raises(DataError, match="2 of 3 lines cannot be read"):
        read_groups(write("file,label,group\na.c,1,g\nb.c,3,g\nc.c,3,g"), Counter(), strict=False)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.csv: cannot be read"):
        read_groups(tmp_path / "gone.csv", Counter(), strict=False)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=120) | st.text(alphabet='ab01,"\n\r\0é').map(str.encode))
def test_any_bytes_are_read_or_are_a_data_error(write, content):
    try:
        found = read_groups(
            write(b"file,label,group\na.c,1,g\n" + content), Counter(), strict=False
        )
    except DataError:
        return
    assert found["a.c"] == GroupRow(1, "g", usable=True)
