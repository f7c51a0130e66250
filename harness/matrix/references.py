"""Reference figures beside every F1: what classifiers score that no GNN should lose to."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.context import ForkServerContext

    from harness.matrix.store import Store

PART = "references"


def name_of(data: str, seed: int) -> str:
    """Name of the stored record of a data set's split."""
    return f"{data[:16]}-{seed}"


def measure_references(
    store: Store, folders: Mapping[str, Path], seeds: Mapping[str, Sequence[int]],
    context: ForkServerContext, jobs: int,
) -> None:  # fmt: skip
    """Measure and store the figures of all splits that are not stored yet.

    Args:
        store: where they go.
        folders: of the packed data sets, by content hash.
        seeds: of the splits, by content hash.
        context: makes the processes.
        jobs: processes at once.
    """
    missing = [
        (data, seed)
        for data, wanted in seeds.items()
        for seed in wanted
        if store.read(PART, name_of(data, seed)) is None
    ]
    if not missing:
        return
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin) as pool:
        found = pool.map(_measure, [str(folders[data]) for data, _ in missing], _second(missing))
        for (data, seed), figures in zip(missing, found, strict=True):
            store.keep(PART, name_of(data, seed), figures)


def _begin() -> None:
    from harness.matrix.worker import leave_interrupts_to_the_driver  # noqa: PLC0415 - loads torch
    from harness.process import die_with_parent  # noqa: PLC0415

    die_with_parent()
    leave_interrupts_to_the_driver()


def _second(pairs: Sequence[tuple[str, int]]) -> list[int]:
    return [seed for _, seed in pairs]


def _measure(folder: str, seed: int) -> dict[str, Any]:
    from harness.graphs.dataset import open_folder  # noqa: PLC0415 - reports only read figures
    from harness.graphs.reference import reference_scores  # noqa: PLC0415
    from harness.graphs.splits import split_by_seed  # noqa: PLC0415

    graphs = open_folder(Path(folder))
    return reference_scores(graphs, split_by_seed(graphs.label, graphs.group, seed))
