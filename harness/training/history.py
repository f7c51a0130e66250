"""``metrics_history.csv``: one line an epoch, readable by anything.

Known limitations: the file is written with each checkpoint and anew every time, so between
checkpoints it is behind the run; single steps are not in it, which ``tensorboard`` can write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from harness.errors import DataError, first_problem
from harness.files import size_of, write_whole
from harness.result import EpochRecord

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FILE_NAME = "metrics_history.csv"
MAX_BYTES = 64 << 20
"""Of a hundred thousand epochs, the most that a run may have, there are half as many."""


def write_history(path: Path, history: Iterable[EpochRecord]) -> None:
    """Write all epochs, whole; numbers read back to the same bits.

    Raises:
        OSError: if the file cannot be written; the old one is untouched.
    """
    lines = [",".join(EpochRecord.model_fields)]
    lines += [",".join(map(str, record.model_dump().values())) for record in history]
    write_whole(path, ("\n".join(lines) + "\n").encode())


def read_history(path: Path) -> tuple[EpochRecord, ...]:
    """Read what ``write_history`` wrote.

    Raises:
        DataError: naming line and field of what does not belong, or if the file is too large.
    """
    try:
        if size_of(path) > MAX_BYTES:
            raise DataError.at(path, f"larger than {MAX_BYTES >> 20} MiB")
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError.at(path, f"cannot be read: {error}") from error
    columns = list(EpochRecord.model_fields)
    if not lines or lines[0].split(",") != columns:
        raise DataError.at(path, f"does not begin with the columns {','.join(columns)}", line=1)
    return tuple(_record(path, number, line) for number, line in enumerate(lines[1:], start=2))


def _record(path: Path, number: int, line: str) -> EpochRecord:
    columns, values = list(EpochRecord.model_fields), line.split(",")
    if len(values) != len(columns):
        what = f"has {len(values)} values where {len(columns)} belong"
        raise DataError.at(path, what, line=number)
    try:
        return EpochRecord.model_validate(dict(zip(columns, values, strict=True)))
    except ValidationError as error:
        field, what, _ = first_problem(error)
        raise DataError.at(path, what, line=number, field=field) from error


def scalars_of(record: EpochRecord) -> dict[str, float]:
    """An epoch's values by the tags that TensorBoard shows them under."""
    return {
        "loss/train": record.train_loss,
        "loss/select": record.select_loss,
        "select/f1": record.f1,
        "select/precision": record.precision,
        "select/recall": record.recall,
        "select/balanced_accuracy": record.balanced_accuracy,
        "select/auc": record.auc,
        "select/threshold": record.threshold,
        "gradient/norm": record.gradient_norm,
        "gradient/clipped_steps": record.clipped_steps,
        "predictions/safe": record.predicted_safe,
        "predictions/vulnerable": record.predicted_vulnerable,
        "seconds/train": record.train_seconds,
        "seconds/evaluation": record.evaluation_seconds,
    }
