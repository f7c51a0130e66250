"""The results store: one small folder a trial, written whole or not at all.

::

    trials/<key>/result.json        what the trial was and what it found
    trials/<key>/gate.npz           index, label, prediction and probability of each gate graph
    trials/<key>/metrics_history.csv, diagnostics.*, tensorboard/
    failures/<key>.json             the last failed attempt; never taken for a result
    blocks/<key>.json               timed blocks of one cell
    references/<data>-<seed>.json   figures of the classifiers that beat no GNN
    work/<key>/                     checkpoints of trials in progress
    cache/                          what features keep for other runs

Keys are content keys, so that stores of several machines can be merged: `harness.matrix.merge`.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import DataError, StoreError, first_problem
from harness.files import folder_written_whole, read_json, write_json, write_whole
from harness.hardware import Hardware
from harness.matrix.spec import TrialSpec
from harness.result import Collapse

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SCHEMA = 1
RESULT, GATE = "result.json", "gate.npz"
KEPT = ("metrics_history.csv", "diagnostics.json", "diagnostics.txt", "tensorboard")
MAX_GATE_BYTES = 1 << 30


class TrialResult(BaseModel):
    """What a trial found, as stored in ``result.json``; times in it are never judged.

    Attributes:
        spec: what the trial was.
        hardware: what it ran on.
        git_commit: of the working folder, for the record.
        f1: on *gate*, of the vulnerable class; None if the run gave no prediction.
        metrics: of *gate* and of the chosen epoch on *select*.
        best_epoch: the chosen epoch.
        threshold: on the probability.
        epochs: that were trained.
        collapse: the rule that applied, or None.
        notes: what the run decided, for the user.
        wall_seconds: of the whole trial, beside whatever else ran.
        cpu_seconds: of the trial's process.
        gate_digest: SHA-256 of ``gate.npz``; None without predictions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = SCHEMA
    spec: TrialSpec
    hardware: Hardware
    git_commit: str | None
    f1: float | None
    metrics: dict[str, float]
    best_epoch: int
    threshold: float
    epochs: int
    collapse: Collapse | None
    notes: tuple[str, ...]
    wall_seconds: float
    cpu_seconds: float
    gate_digest: str | None


@dataclass(frozen=True)
class GateScores:
    """What a trial predicted on *gate*.

    Attributes:
        index: ``[m]`` int64 places in the data set.
        label: ``[m]`` uint8.
        predicted: ``[m]`` uint8, at the threshold chosen on *select*.
        probability: ``[m]`` float32 of the vulnerable class.
    """

    index: NDArray[np.int64]
    label: NDArray[np.uint8]
    predicted: NDArray[np.uint8]
    probability: NDArray[np.float32]

    def to_bytes(self) -> bytes:
        """As an uncompressed ``.npz``: plain arrays, no pickle, the same bytes every time."""
        buffer = io.BytesIO()
        np.savez(buffer, **vars(self))
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> GateScores:
        """Read what ``to_bytes`` wrote.

        Raises:
            ValueError: if it is anything else.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                found = cls(**{name: arrays[name] for name in cls.__dataclass_fields__})
        except (OSError, KeyError, zipfile.BadZipFile, EOFError) as error:
            raise ValueError(str(error)) from error
        if len({len(array) for array in vars(found).values()}) != 1:
            raise ValueError("the arrays differ in length")
        return found


class Failure(BaseModel):
    """Why an attempt at a trial gave no result.

    Attributes:
        kind: ``error``, ``killed`` or ``timeout``.
        detail: one line for the user.
        log: the end of what the process printed.
        attempts: that ended without a result so far, this one among them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    detail: str
    log: str = ""
    attempts: int = Field(1, ge=1)


class Store:
    """A folder of results.

    Args:
        root: the folder; made when something is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def cache(self) -> Path:
        """Where features keep what other runs can use again."""
        return self.root / "cache"

    def work(self, key: str) -> Path:
        """The scratch folder of a trial in progress; it survives interruptions."""
        return self.root / "work" / key

    def _trial(self, key: str) -> Path:
        return self.root / "trials" / key

    def finished(self, key: str) -> bool:
        """Whether the trial has a result; costs one look at the file system."""
        return (self._trial(key) / RESULT).exists()

    def keys(self) -> list[str]:
        """Keys of all finished trials, sorted."""
        folder = self.root / "trials"
        if not folder.is_dir():
            return []
        return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))

    def result(self, key: str) -> TrialResult:
        """Read a finished trial, and check that it is the trial of that key.

        Raises:
            StoreError: if it is missing, damaged, or another trial's.
        """
        path = self._trial(key) / RESULT
        try:
            result = TrialResult.model_validate(read_json(path))
        except ValidationError as error:
            field, what, _ = first_problem(error)
            raise StoreError(f"field '{field}': {what}", where=str(path), mend=_DELETE) from error
        except DataError as error:
            raise StoreError(error.what, where=error.where, mend=_DELETE) from error
        if result.spec.key != key:
            raise StoreError(
                "holds another trial than its folder's name says", where=str(path), mend=_DELETE
            )
        return result

    def gate(self, result: TrialResult) -> GateScores | None:
        """Read a finished trial's gate predictions; None if it collapsed without any.

        Raises:
            StoreError: if the file is missing or not the one that the trial wrote.
        """
        if result.gate_digest is None:
            return None
        path = self._trial(result.spec.key) / GATE
        try:
            return GateScores.from_bytes(_checked(path, result.gate_digest))
        except (OSError, ValueError) as error:
            raise StoreError(f"cannot be used: {error}", where=str(path), mend=_DELETE) from error

    def history(self, key: str) -> Path:
        """Path of a finished trial's ``metrics_history.csv``."""
        return self._trial(key) / "metrics_history.csv"

    def write(self, result: TrialResult, gate: GateScores | None) -> None:
        """Store a finished trial, take over what it left in its scratch folder, and clear that.

        Raises:
            OSError: if the disk is full; nothing is stored then.
        """
        key = result.spec.key
        work = self.work(key)
        with folder_written_whole(self._trial(key)) as draft:
            if gate is not None:
                write_whole(draft / GATE, gate.to_bytes())
            for name in KEPT:
                if (work / name).is_dir():
                    shutil.copytree(work / name, draft / name)
                elif (work / name).exists():
                    shutil.copy2(work / name, draft / name)
            write_json(draft / RESULT, result.model_dump(mode="json"))
        (self.root / "failures" / f"{key}.json").unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)

    def drop(self, key: str) -> None:
        """Remove a damaged result, so that the trial is run again."""
        shutil.rmtree(self._trial(key), ignore_errors=True)

    def fail(self, key: str, failure: Failure) -> None:
        """Record a failed attempt, and count those before it."""
        before = self.failure(key)
        attempts = 1 if before is None else before.attempts + 1
        counted = failure.model_copy(update={"attempts": attempts})
        write_json(self.root / "failures" / f"{key}.json", counted.model_dump())

    def failure(self, key: str) -> Failure | None:
        """The last failed attempt of a trial without a result."""
        path = self.root / "failures" / f"{key}.json"
        if not path.exists():
            return None
        try:
            return Failure.model_validate(read_json(path))
        except (ValidationError, DataError):
            return None

    def read(self, part: str, name: str) -> Any:
        """A JSON record of ``blocks`` or ``references``; None where there is none.

        Raises:
            DataError: if it is damaged.
        """
        path = self.root / part / f"{name}.json"
        return read_json(path) if path.exists() else None

    def keep(self, part: str, name: str, value: Any) -> None:
        """Write a JSON record of ``blocks`` or ``references``, whole."""
        write_json(self.root / part / f"{name}.json", value)


_DELETE = "delete the trial's folder; it is run again when it is needed"


def _checked(path: Path, digest: str) -> bytes:
    if path.stat().st_size > MAX_GATE_BYTES:
        raise ValueError("larger than 1 GiB")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError("not the file that the trial wrote")
    return content


def gate_digest(gate: GateScores) -> str:
    """SHA-256 of the stored predictions."""
    return hashlib.sha256(gate.to_bytes()).hexdigest()
