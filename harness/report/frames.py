"""Stored results as tidy pandas frames, for whoever goes on with them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.errors import DataError
from harness.matrix.store import Store
from harness.report.formats import Per

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.matrix.store import TrialResult


METRICS = ("precision", "recall", "balanced_accuracy", "auc", "select_f1", "select_auc")


def load(folder: str | Path, per: str = "trial") -> pd.DataFrame:
    """Read all finished trials of an output folder; neither models nor data are loaded.

    Every row has ``key``, ``data``, ``model``, ``arm`` (its features, joined by +; empty for
    none), ``seed``, ``hardware`` and ``threads``. A trial has further

    - ``f1``, ``precision``, ``recall``, ``balanced_accuracy`` and ``auc`` on *gate*, of the
      vulnerable class, at the ``threshold`` that *select* gave; ``select_f1`` and ``select_auc``
      of the chosen epoch on *select*; missing where the run gave no prediction;
    - ``collapse``, the rule that applied, missing where none did; ``best_epoch``, ``epochs``;
    - ``wall_seconds`` and ``cpu_seconds`` of the whole trial, measured beside whatever else ran:
      the time gate judges timed blocks, never these;
    - ``batch_size`` and the other settings of the loop as ``settings.NAME``;
    - ``data_content``, ``engine``, ``git_commit``, ``cpu``, ``device_name`` and ``version.NAME``.

    An epoch has the columns of its ``metrics_history.csv``, with ``best`` for the chosen one.

    Args:
        folder: of ``--out``.
        per: ``trial`` or ``epoch``.

    Returns:
        A frame sorted by data, model, arm and seed, and epoch.

    Raises:
        ValueError: if ``per`` is neither.
        DataError: if no trial is finished there, or a history is damaged.
        StoreError: if a result is damaged.

    Example:
        ``harness.load(".ablation/results").pivot_table("f1", "seed", "arm")``
    """
    store, row = Store(Path(folder)), Per(per)
    results = finished(store)
    if row is Per.TRIAL:
        return pd.DataFrame([trial_row(one) for one in results])
    return pd.DataFrame([record for one in results for record in _epochs(store, one)])


def finished(store: Store) -> list[TrialResult]:
    """All finished trials of a store, sorted by data, model, arm and seed.

    Raises:
        DataError: if there is none.
        StoreError: if one is damaged.
    """
    results = [store.result(key) for key in store.keys()]  # noqa: SIM118 - a store is no mapping
    if not results:
        raise DataError.at(
            store.root, "holds no finished trial", mend="name the folder of --out of ablate run"
        )
    return sorted(results, key=lambda one: list(_identity(one).values())[1:])


def _identity(result: TrialResult) -> dict[str, Any]:
    spec = result.spec
    return {
        "key": spec.key,
        "data": spec.data_name,
        "model": spec.model,
        "arm": "+".join(spec.arm),
        "seed": spec.seed,
        "hardware": spec.hardware,
        "threads": spec.threads,
    }


def trial_row(result: TrialResult) -> dict[str, Any]:
    """A row of the frame with a row a trial."""
    spec, machine = result.spec, result.hardware
    return {
        **_identity(result),
        "f1": math.nan if result.f1 is None else result.f1,
        **{name: result.metrics.get(name, math.nan) for name in METRICS},
        "threshold": result.threshold,
        "collapse": None if result.collapse is None else result.collapse.rule,
        "best_epoch": result.best_epoch,
        "epochs": result.epochs,
        "wall_seconds": result.wall_seconds,
        "cpu_seconds": result.cpu_seconds,
        **{f"settings.{name}": value for name, value in spec.settings.model_dump().items()},
        "data_content": spec.data,
        "engine": spec.engine,
        "git_commit": result.git_commit,
        "cpu": machine.cpu,
        "device_name": machine.name,
        **{f"version.{name}": value for name, value in machine.versions.items()},
    }


def _epochs(store: Store, result: TrialResult) -> Iterator[dict[str, Any]]:
    for record in store.history(result.spec.key):
        best = record.epoch == result.best_epoch
        yield {**_identity(result), **record.model_dump(), "best": best}
