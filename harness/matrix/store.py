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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import DataError, StoreError, sentence_of
from harness.files import folder_written_whole, read_json, size_of, write_json, write_whole
from harness.hardware import Hardware
from harness.matrix.arrays import MAX_BYTES, read_arrays
from harness.matrix.records import Failure, checked
from harness.matrix.spec import TrialSpec
from harness.result import Collapse
from harness.seal import sealed, unsealed
from harness.training.history import FILE_NAME, read_history

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.result import EpochRecord

SCHEMA = 1
RESULT, GATE = "result.json", "gate.npz"
KEPT = (FILE_NAME, "diagnostics.json", "diagnostics.txt", "tensorboard")
MAX_GATE_BYTES = MAX_BYTES


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
        found = cls(
            **read_arrays(content, dict(zip(cls.__dataclass_fields__, "iuuf", strict=True)))
        )
        if len({len(array) for array in vars(found).values()}) != 1:
            raise ValueError("the arrays differ in length")
        for name in ("label", "predicted"):
            if np.any(getattr(found, name) > 1):
                raise ValueError(f"a {name} is neither 0 nor 1")
        return found


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

    @property
    def _failures(self) -> Path:
        return self.root / "failures"

    def work(self, key: str) -> Path:
        """The scratch folder of a trial in progress; it survives interruptions."""
        return self.root / "work" / key

    def trial(self, key: str) -> Path:
        """The folder of a finished trial."""
        return self.root / "trials" / key

    def finished(self, key: str) -> bool:
        """Whether the trial has a result; costs one look at the file system."""
        return (self.trial(key) / RESULT).exists()

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
        path = self.trial(key) / RESULT
        try:
            result = TrialResult.model_validate(unsealed(read_json(path)))
        except ValueError as error:
            raise StoreError(sentence_of(error), where=str(path), mend=_DELETE) from error
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
        path = self.trial(result.spec.key) / GATE
        try:
            return GateScores.from_bytes(_checked(path, result.gate_digest))
        except (OSError, ValueError) as error:
            raise StoreError(f"cannot be used: {error}", where=str(path), mend=_DELETE) from error

    def history_file(self, key: str) -> Path:
        """Path of a finished trial's ``metrics_history.csv``."""
        return self.trial(key) / FILE_NAME

    def history(self, key: str) -> tuple[EpochRecord, ...]:
        """A finished trial's epochs; none if it wrote no history.

        Raises:
            DataError: if the file is damaged.
        """
        path = self.history_file(key)
        return read_history(path) if path.exists() else ()

    def write(self, result: TrialResult, gate: GateScores | None) -> None:
        """Store a finished trial, take over what it left in its scratch folder, and clear that.

        Raises:
            OSError: if the disk is full; nothing is stored then.
        """
        key = result.spec.key
        work = self.work(key)
        if not self.finished(key):
            self.drop(key)  # what a deletion that was interrupted left would be in the way
        with folder_written_whole(self.trial(key)) as draft:
            if gate is not None:
                write_whole(draft / GATE, gate.to_bytes())
            for name in KEPT:
                if (work / name).is_dir():
                    shutil.copytree(work / name, draft / name)
                elif (work / name).exists():
                    shutil.copy2(work / name, draft / name)
            write_json(draft / RESULT, sealed(result.model_dump(mode="json")))
        (self._failures / f"{key}.json").unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)

    def receive(self, key: str, files: Mapping[tuple[str, ...], bytes]) -> None:
        """Store a finished trial that ran elsewhere, as it is.

        Args:
            key: of the trial.
            files: content by place in the trial's folder, checked by ``received.read_trial``.

        Raises:
            OSError: if the disk is full; nothing is stored then.
        """
        # A folder that is there is another run of the same trial, or what a link left behind.
        self.drop(key)
        with folder_written_whole(self.trial(key)) as draft:
            for place, content in files.items():
                write_whole(draft.joinpath(*place), content)

    def drop(self, key: str) -> None:
        """Remove a damaged result, so that the trial is run again."""
        shutil.rmtree(self.trial(key), ignore_errors=True)

    def fail(self, key: str, failure: Failure) -> None:
        """Record a failed attempt, and count those before it."""
        before = self.failure(key)
        attempts = 1 if before is None else before.attempts + 1
        counted = failure.model_copy(update={"attempts": attempts})
        write_json(self._failures / f"{key}.json", counted.model_dump())

    def failed(self) -> set[str]:
        """Keys of all trials of which a failed attempt is on record."""
        return {path.stem for path in self._failures.glob("*.json")}

    def failure(self, key: str) -> Failure | None:
        """The last failed attempt of a trial without a result."""
        path = self._failures / f"{key}.json"
        try:
            return Failure.model_validate(read_json(path)) if path.exists() else None
        except (ValidationError, DataError):
            return None

    def read(self, part: str, name: str) -> Any:
        """A JSON record of ``blocks`` or ``references``; None where there is none.

        Raises:
            StoreError: if it is damaged, or no such record.
        """
        path = self.root / part / f"{name}.json"
        if not path.exists():
            return None
        try:
            return checked(part, unsealed(read_json(path)))
        except ValueError as error:
            raise StoreError(sentence_of(error), where=str(path), mend=_ANEW) from error
        except DataError as error:
            raise StoreError(error.what, where=str(path), mend=_ANEW) from error

    def keep(self, part: str, name: str, value: Any) -> None:
        """Write a JSON record of ``blocks`` or ``references``, whole."""
        write_json(self.root / part / f"{name}.json", sealed(value))


_DELETE = "delete the trial's folder; it is run again when it is needed"
_ANEW = "delete it; it is measured again when it is needed"


def _checked(path: Path, digest: str) -> bytes:
    if size_of(path) > MAX_GATE_BYTES:
        raise ValueError("larger than 1 GiB")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError("not the file that the trial wrote")
    return content


def gate_digest(gate: GateScores) -> str:
    """SHA-256 of the stored predictions."""
    return hashlib.sha256(gate.to_bytes()).hexdigest()
