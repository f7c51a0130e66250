"""Checkpoints: written whole or not at all, read with ``weights_only=True``.

``last.pt`` holds everything that a run needs to go on bit-identically on the CPU; ``best.pt``
the weights of the chosen epoch. Both carry what the run was: configuration, data hash, git
commit, versions, metrics.
"""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

import torch

from harness.errors import DataError
from harness.files import write_whole
from harness.hashing import content_key
from harness.result import EpochRecord
from harness.training.configuration import SCHEMA, configuration, metadata

if TYPE_CHECKING:
    from pathlib import Path

    from harness.training.best import Best
    from harness.training.live import LiveRun

LAST, BEST = "last.pt", "best.pt"


def save_last(run: LiveRun, best: Best, folder: Path, times: dict[str, Any]) -> None:
    """Write ``last.pt`` after a finished epoch.

    Raises:
        OSError: if the disk is full or the folder cannot be written; the old file is untouched.
    """
    cuda = torch.cuda.get_rng_state_all() if run.device.type == "cuda" else []
    content = {
        **metadata(run.spec),
        "epoch": run.epoch,
        "step": run.step,
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "schedule": run.schedule.state_dict(),
        "scaler": run.scaler.state_dict() if run.scaler else {},
        "features": {feature.name: feature.state_dict() for feature in run.arm},
        "rng": {"cpu": torch.get_rng_state(), "cuda": cuda},
        "history": [record.model_dump() for record in run.history],
        "notes": list(run.notes),
        "best": best.state_dict(),
        "times": times,
    }
    _write(folder / LAST, content)


def save_best(run: LiveRun, best: Best, folder: Path) -> None:
    """Write ``best.pt``: weights, threshold and metrics of the chosen epoch."""
    content = {**metadata(run.spec), **best.state_dict(), "history": None}
    if best.record is not None:
        content["metrics"] = best.record.model_dump()
    _write(folder / BEST, content)


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint; nothing in it is executed.

    Raises:
        DataError: if the file is missing, damaged, holds objects or is of another format.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError.at(
            path, f"is no readable checkpoint: {what}", mend="train anew without --resume"
        ) from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise DataError.at(path, f"is no checkpoint of format {SCHEMA}")
    return content


def restore(run: LiveRun, best: Best, path: Path) -> dict[str, Any]:
    """Put a built run into the state that ``save_last`` wrote, and return the stored times.

    Raises:
        DataError: if the checkpoint is of another run; names what differs.
    """
    content = load(path)
    stored, wanted = content["configuration"], configuration(run.spec)
    if content_key(stored) != content_key(wanted):
        differing = [key for key in wanted if stored.get(key) != wanted[key]]
        raise DataError.at(
            path, f"is of a run with another {', '.join(differing)}",
            mend="resume with the same settings, or choose another folder",
        )  # fmt: skip
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
    return times


def _write(path: Path, content: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(path, buffer.getvalue())
