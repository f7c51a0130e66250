"""Stored results for TensorBoard's HParams view: the matrix to sort, filter and plot."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from torch.utils.tensorboard import SummaryWriter

from harness.errors import UsageError
from harness.files import folder_written_whole
from harness.matrix.store import Store
from harness.report.frames import finished, trial_row
from harness.training.history import scalars_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.matrix.store import TrialResult
    from harness.result import EpochRecord

HYPER_PARAMETERS = ("data", "model", "arm", "seed", "hardware", "threads")
FINAL = ("f1", "precision", "recall", "balanced_accuracy", "auc", "wall_seconds", "cpu_seconds")
PLAIN = (bool, int, float)
_UNSAFE = re.compile(r"[^\w.=,-]+")


def write_hparams(folder: Path, target: Path) -> None:
    """Write one run a finished trial, which ``tensorboard --logdir TARGET`` shows side by side.

    A run's hyper-parameters are its data set, model, arm, seed, hardware and settings, and for
    each feature of the store whether the arm has it; its metrics are those of *gate* and whether
    it collapsed; its curves are those of its history.

    Args:
        folder: of ``--out``.
        target: a folder that is not there yet; written whole or not at all.

    Raises:
        UsageError: if the target is there already.
        DataError: if no trial is finished, or a history is damaged.
        StoreError: if a result is damaged.
        OSError: if the target cannot be written.
    """
    if target.exists():
        raise UsageError("is there already", where=str(target), mend="name a new folder")
    store = Store(folder)
    results = finished(store)
    features = sorted({feature for one in results for feature in one.spec.arm})
    with folder_written_whole(target) as draft:
        for result in results:
            history = store.history(result.spec.key)
            _write(draft / _name(result), result, features, history)


def _name(result: TrialResult) -> str:
    spec = result.spec
    title = f"{spec.model} {'+'.join(spec.arm) or 'nothing'} {spec.seed}"
    return f"{_UNSAFE.sub('-', title)}-{spec.key[:8]}"


def _write(
    folder: Path, result: TrialResult, features: Sequence[str], history: Sequence[EpochRecord]
) -> None:
    row = trial_row(result)
    values = {name: row[name] for name in HYPER_PARAMETERS}
    values |= {f"with {name}": name in result.spec.arm for name in features}
    for name in (one for one in row if one.startswith("settings.")):
        values[name] = row[name] if isinstance(row[name], PLAIN) else str(row[name])
    final = {f"gate/{name}": row[name] for name in FINAL if not math.isnan(row[name])}
    final["gate/collapsed"] = float(result.collapse is not None)
    with SummaryWriter(str(folder)) as writer:
        for record in history:
            shown = scalars_of(record) | {"learning_rate": record.learning_rate}
            for tag, value in shown.items():
                writer.add_scalar(tag, value, record.epoch)
        writer.add_hparams(values, final, run_name=".")
