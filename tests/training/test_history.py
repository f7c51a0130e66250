"""``metrics_history.csv`` reads back to the same bits, and says where it was changed."""

from __future__ import annotations

import csv
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataError
from harness.result import EpochRecord
from harness.testing import differences
from harness.training.history import read_history, write_history

NUMBERS = {int: st.integers(0, 2**53), float: st.floats()}
RECORDS = st.builds(
    EpochRecord,
    **{name: NUMBERS[field.annotation] for name, field in EpochRecord.model_fields.items()},
)


@given(st.lists(RECORDS, max_size=5))
def test_numbers_read_back_to_the_same_bits(tmp_path_factory, history):
    path = tmp_path_factory.mktemp("history") / "metrics_history.csv"
    write_history(path, history)
    assert not differences(read_history(path), tuple(history), ignore=frozenset())


def test_any_reader_of_csv_can_read_it(tmp_path, make_record):
    path = tmp_path / "metrics_history.csv"
    write_history(path, [make_record(0, f1=0.5), make_record(1, f1=1 / 3, train_loss=math.nan)])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["f1"]) for row in rows] == [0.5, 1 / 3]
    assert math.isnan(float(rows[1]["train_loss"]))


@pytest.fixture
def written(tmp_path, make_record):
    path = tmp_path / "metrics_history.csv"
    write_history(path, [make_record(0), make_record(1)])
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", r":1: does not begin with the columns epoch,"),
        (lambda text: text.replace("epoch,", "round,", 1), r":1: does not begin"),
        (lambda text: text.rsplit(",", 1)[0], r":3: has 18 values where 19 belong"),
        (lambda text: text.rstrip() + ",9\n", r":3: has 20 values where 19 belong"),
        (lambda text: text.replace("\n1,", "\none,"), r":3: field 'epoch': "),
        (lambda text: text.replace("\n0,0.0,", "\n0,much,"), r":2: field 'train_loss': "),
    ],
)
def test_what_does_not_belong_is_named_by_line_and_field(written, change, message):
    changed = change(written.read_text("utf-8"))
    written.write_text(changed, "utf-8")
    with pytest.raises(DataError, match=message):
        read_history(written)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("history") / "metrics_history.csv"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_history(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        read_history(tmp_path / "none.csv")


def test_a_file_that_no_run_can_have_written_is_not_read(tmp_path):
    path = tmp_path / "metrics_history.csv"
    with path.open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(DataError, match="larger than 64 MiB"):
        read_history(path)
