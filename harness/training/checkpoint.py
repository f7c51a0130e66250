"""Checkpoints: written whole or not at all, read with ``weights_only=True``.

``last.pt`` holds everything that a run needs to go on bit-identically on the CPU; ``best.pt``
the weights of the chosen epoch. Both carry what the run was: configuration, data hash, git
commit, versions, metrics.

Known limitations: a run goes on from a whole epoch, so that of an interrupted one is trained
again. On a GPU the bits after it are the same only with ``--deterministic``. The two files are
each whole, yet not written together: ``best.pt`` may be of the epoch after ``last.pt``.
"""

from __future__ import annotations

import io
import pickle
import struct
import warnings
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import torch

from harness.errors import DataError, UsageError
from harness.files import size_of, write_whole
from harness.result import EpochRecord
from harness.training.configuration import SCHEMA, configuration, differences

if TYPE_CHECKING:
    from pathlib import Path

    from harness.feature import Feature
    from harness.training.best import Best
    from harness.training.live import LiveRun

LAST, BEST = "last.pt", "best.pt"

_MEND = "delete it, or train anew without --resume"
MOST_BYTES = 4 << 30

# All that torch raises for what is no checkpoint, or one that was damaged.
UNREADABLE = (
    OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError,
    AssertionError, ArithmeticError, MemoryError, struct.error, pickle.UnpicklingError,
)  # fmt: skip


class DamagedCheckpointError(DataError):
    """A checkpoint that is not, or not all, what was written."""


def save_last(
    run: LiveRun, best: Best, folder: Path, times: dict[str, Any], origin: dict[str, Any]
) -> None:
    """Write ``last.pt`` after a finished epoch.

    Args:
        run: in the state to keep.
        best: the chosen epoch so far.
        folder: where the file goes.
        times: wall seconds so far.
        origin: the run's ``metadata``.

    Raises:
        UsageError: if a feature's state holds what could not be read back.
        OSError: if the disk is full or the folder cannot be written; the old file is untouched.
    """
    cuda = torch.cuda.get_rng_state_all() if run.device.type == "cuda" else []
    content = {
        **origin,
        "epoch": run.epoch,
        "step": run.step,
        "metrics": run.history[-1].model_dump(),
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "schedule": run.schedule.state_dict(),
        "scaler": run.scaler.state_dict() if run.scaler else {},
        "features": {feature.name: _state_of(feature) for feature in run.arm},
        "rng": {"cpu": torch.get_rng_state(), "cuda": cuda},
        "history": [record.model_dump() for record in run.history],
        "notes": list(run.notes),
        "best": best.state_dict(),
        "times": times,
    }
    _write(folder / LAST, content)


def _state_of(feature: Feature) -> dict[str, Any]:
    state = feature.state_dict()
    strange = _strange(state)
    if strange is not None:
        raise UsageError(
            f"state_dict() of feature '{feature.name}' holds {strange.__name__}, which no "
            "checkpoint can hold",
            where=str(feature),
            mend="give tensors, numbers, texts, None, and dicts, lists and tuples of them",
        )
    return state


def _strange(value: Any) -> type | None:
    """The type of the first thing in a state that ``weights_only`` would refuse to read."""
    if isinstance(value, dict):
        return _strange([*value.keys(), *value.values()])
    if isinstance(value, list | tuple):
        return next((found for found in map(_strange, value) if found is not None), None)
    plain = (
        value is None or type(value) in (bool, int, float, str) or isinstance(value, torch.Tensor)
    )
    return None if plain else type(value)


def save_best(best: Best, folder: Path, origin: dict[str, Any]) -> None:
    """Write ``best.pt``: weights, threshold and metrics of the chosen epoch."""
    metrics = None if best.record is None else best.record.model_dump()
    _write(folder / BEST, {**origin, "metrics": metrics, "model": best.state})


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint; nothing in it is executed.

    Raises:
        DamagedCheckpointError: if the file is missing, too large or damaged, holds objects, or is
            of another format.
    """
    try:
        if size_of(path) > MOST_BYTES:
            raise DamagedCheckpointError.at(
                path, f"is larger than {MOST_BYTES >> 30} GiB", mend=_MEND
            )
        damaged = _damaged_record(path)
        if damaged:
            what = f"is damaged: {damaged} is not what was written"
            raise DamagedCheckpointError.at(path, what, mend=_MEND)
        with warnings.catch_warnings():
            # torch warns of what foreign files hold; the error below says more.
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedCheckpointError.at(
            path, f"is no readable checkpoint: {what}", mend=_MEND
        ) from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise DamagedCheckpointError.at(path, f"is no checkpoint of format {SCHEMA}", mend=_MEND)
    return content


def _damaged_record(path: Path) -> str | None:
    """A record whose check sum is not its content's: torch writes them, and reads on without."""
    try:
        if not zipfile.is_zipfile(path):
            return None  # of an older torch, or none at all
        with zipfile.ZipFile(path) as records:
            # torch compresses none; a decoder would take the memory that the record declares.
            packed = (one for one in records.infolist() if one.compress_type != zipfile.ZIP_STORED)
            found = next(packed, None)
            return found.filename if found is not None else records.testzip()
    except (OSError, zipfile.BadZipFile, ValueError, RuntimeError, EOFError, zlib.error) as error:
        return f"its list of records ({error})"


def restore(run: LiveRun, best: Best, path: Path) -> dict[str, Any]:
    """Put a built run into the state that ``save_last`` wrote, and return the stored times.

    Raises:
        DamagedCheckpointError: if it cannot be read, or does not fit.
        DataError: if it is of another run, naming what differs.
    """
    content = load(path)
    differing = differences(content.get("configuration"), configuration(run.spec))
    if differing:
        raise DataError.at(
            path,
            f"is of another run: {'; '.join(differing)}",
            mend="resume with the same settings, or choose another folder",
        )
    try:
        return _restore(run, best, content)
    except UNREADABLE as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        what = f"does not fit the run: {what}"
        raise DamagedCheckpointError.at(path, what, mend=_MEND) from error


def _restore(run: LiveRun, best: Best, content: dict[str, Any]) -> dict[str, Any]:
    run.model.load_state_dict(content["model"])
    run.optimizer.load_state_dict(content["optimizer"])
    run.schedule.load_state_dict(content["schedule"])
    if run.scaler:
        run.scaler.load_state_dict(content["scaler"])
    for feature in run.arm:
        feature.load_state_dict(content["features"].get(feature.name, {}))
    run.history = [EpochRecord.model_validate(record) for record in content["history"]]
    run.notes = list(content["notes"])
    run.epoch, run.step = content["epoch"] + 1, content["step"]
    best.load_state_dict(content["best"])
    torch.set_rng_state(content["rng"]["cpu"])
    if run.device.type == "cuda":
        torch.cuda.set_rng_state_all(content["rng"]["cuda"])
    times: dict[str, Any] = content["times"]
    return {"train": list(times["train"]), "setup": float(times["setup"])}


def _write(path: Path, content: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(path, buffer.getvalue())
