"""Clauses that compare to the bit: no trace when off, no trace of an observer, exact resume."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from harness.errors import DataError
from harness.feature import Claim
from harness.testing.bits import WALL_TIMES, differences
from harness.testing.case import one_thread
from harness.training import checkpoint
from harness.training.fit import fit

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.result import EpochRecord, FitResult
    from harness.testing.case import Case

SHOWN = 3
RESUME_EPOCHS = 5


def off_leaves_no_trace(case: Case) -> None:
    """An arm without the feature gives the same bits before and after the feature was used."""
    clause = "off_leaves_no_trace"
    with one_thread(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = _process_settings()
        before = fit(case.spec((), folder=folder / "before"))
        fit(case.spec(case.arm, folder=folder / "with"))
        left = differences(settings, _process_settings())
        if left:
            raise case.broken(
                clause,
                f"it leaves the process with other settings: {_some(left)}",
                mend="set what you need in around_forward or around_fit, and put it back there",
            )
        after = fit(case.spec((), folder=folder / "after"))
    found = differences(before, after)
    if found:
        raise case.broken(
            clause,
            f"after it was used, training without it gives other bits: {_some(found)}",
            mend="change nothing outside of the run: no class, no module, no data, no global",
        )


def nothing_stays_between_fits(case: Case) -> None:
    """A second fit with the feature gives the same bits as the first."""
    with one_thread():
        found = differences(fit(case.spec(case.arm)), fit(case.spec(case.arm)))
    if found:
        raise case.broken(
            "nothing_stays_between_fits",
            f"the second of two equal fits in one process differs: {_some(found)}",
            mend="keep state in private attributes of the object, and draw from run.generator",
        )


def insight_changes_nothing(case: Case) -> None:
    """A feature that claims insight, or does nothing, gives exactly the baseline's bits."""
    if case.feature.hooks() and case.feature.claim is not Claim.INSIGHT:
        return
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        with_it = fit(case.spec(case.arm, folder=Path(folder)))
        found = differences(fit(case.spec(())), with_it, ignore=WALL_TIMES | {"notes"})
    if found:
        raise case.broken(
            "insight_changes_nothing",
            f"it only observes, yet training differs from the baseline: {_some(found)}",
            mend="draw no random numbers from torch, write to no tensor, call no model in training",
        )


def resume_is_exact(case: Case) -> None:
    """Interrupted after any epoch and resumed, a run ends with the bits of an uninterrupted one.

    Weights, optimizer, schedule, scaler, features' state, history and predictions are compared.
    """
    with one_thread(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole, snapshots = _uninterrupted(case, folder)
        for snapshot in snapshots:
            spec = _resumed_spec(case, folder, snapshot)
            try:
                resumed = fit(spec)
            except DataError as error:
                raise _not_resumable(case, error) from error
            found = differences(whole, resumed)
            found += _checkpoints(folder / "whole", snapshot)
            if found:
                raise case.broken(
                    "resume_is_exact",
                    f"a run resumed after epoch {snapshot.name} ends with other bits: "
                    f"{_some(found)}",
                    mend="give all that it keeps in state_dict() and take it back in "
                    "load_state_dict()",
                )


def _uninterrupted(case: Case, folder: Path) -> tuple[FitResult, list[Path]]:
    """Train to the end, and keep what an interruption after each epoch would leave."""
    snapshots: list[Path] = []

    def keep(record: EpochRecord) -> None:
        del record
        snapshots.append(folder / str(len(snapshots) + 1))
        shutil.copytree(folder / "whole", snapshots[-1])

    spec = case.spec(
        case.arm,
        settings={"epochs": RESUME_EPOCHS},
        folder=folder / "whole",
        cache=folder / "cache",
    )
    return fit(spec, keep), snapshots


def _resumed_spec(case: Case, folder: Path, snapshot: Path) -> Any:
    return case.spec(
        case.arm,
        settings={"epochs": RESUME_EPOCHS},
        folder=snapshot,
        cache=folder / "cache",
        resume=True,
    )


def _not_resumable(case: Case, error: DataError) -> Exception:
    return case.broken(
        "resume_is_exact",
        f"its checkpoint cannot be read: {error.what}",
        mend="state_dict() gives tensors, numbers, texts, and dicts and lists of them, no objects",
    )


def _checkpoints(first: Path, second: Path) -> list[str]:
    """Where the last checkpoints of two folders differ, wherever a wrap put them."""
    found = []
    for path in sorted(first.rglob(checkpoint.LAST)):
        name = path.relative_to(first)
        one, other = checkpoint.load(path), checkpoint.load(second / name)
        found += [f"{name}: {line}" for line in differences(one, other)]
    return found


def _process_settings() -> dict[str, Any]:
    """What a feature could change for all that comes after it in the process."""
    read: dict[str, Callable[[], Any]] = {
        "torch.get_num_threads": torch.get_num_threads,
        "torch.get_default_dtype": lambda: str(torch.get_default_dtype()),
        "torch.is_grad_enabled": torch.is_grad_enabled,
        "torch.is_autocast_enabled": lambda: torch.is_autocast_enabled("cpu"),
        "torch.are_deterministic_algorithms_enabled": torch.are_deterministic_algorithms_enabled,
        "torch.get_float32_matmul_precision": torch.get_float32_matmul_precision,
        "torch.is_anomaly_enabled": torch.is_anomaly_enabled,
    }
    return {name: get() for name, get in read.items()}


def _some(found: list[str]) -> str:
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more
