"""``metrics_history.csv``: one line an epoch, readable by anything."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from pydantic import ValidationError

from harness.errors import DataError
from harness.files import write_whole
from harness.result import EpochRecord

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FILE_NAME = "metrics_history.csv"


def write_history(path: Path, history: Iterable[EpochRecord]) -> None:
    """Write all epochs, whole; numbers read back to the same bits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(EpochRecord.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(record.model_dump() for record in history)
    write_whole(path, text.getvalue().encode())


def read_history(path: Path) -> tuple[EpochRecord, ...]:
    """Read what ``write_history`` wrote.

    Raises:
        DataError: naming line and field of what does not belong.
    """
    records = []
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError.at(path, f"cannot be read: {error}") from error
    for number, row in enumerate(csv.DictReader(lines), start=2):
        try:
            records.append(EpochRecord.model_validate(row))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise DataError.at(path, first["msg"], line=number, field=field) from error
    return tuple(records)
