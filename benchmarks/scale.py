"""One epoch on a large data set in a process of its own, and what it costs in time and memory."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tabulate import tabulate

from benchmarks.memory import sampled, status
from benchmarks.own_process import answer, ask
from harness.graphs.dataset import open_folder
from harness.graphs.splits import split_by_seed
from harness.matrix.worker import prepare
from harness.result import FitSpec
from harness.selection import parse_single
from harness.training.fit import FitSession

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.settings import TrainingSettings

_WARM_UP = 256  # graphs that compile every loop before anything is measured
_MIB = 1 << 20


@dataclass(frozen=True)
class Scale:
    """What an epoch on so many graphs took.

    Attributes:
        graphs: of the whole data set.
        train: graphs that were trained on.
        steps: of the optimizer.
        split_seconds: CPU time of opening the data set and drawing its split.
        train_seconds: CPU time of the epoch with its evaluation.
        before: bytes of anonymous memory before the data set was opened.
        peak: most bytes of anonymous memory until the end of the epoch.
        mapped: most bytes of the process with mapped files, whose pages are cache.
        objects: Python objects that the garbage collector knows, more than before.
    """

    graphs: int
    train: int
    steps: int
    split_seconds: float
    train_seconds: float
    before: int
    peak: int
    mapped: int
    objects: int


def train_epoch(folder: Path, model: str, settings: TrainingSettings) -> Scale:
    """Train and evaluate an epoch, with the machine set up as in a trial."""
    prepare((), threads=1)
    _warm_up(folder, model, settings)
    gc.collect()
    objects, before = len(gc.get_objects()), status("RssAnon")
    with sampled() as peak:
        start = time.process_time()
        graphs = open_folder(folder)
        split = split_by_seed(graphs.label, graphs.group, 0)
        opened = time.process_time()
        spec = FitSpec(graphs, split, parse_single(model), settings=settings)
        session = FitSession(spec)
        session.run_epoch()
        trained = time.process_time()
        gc.collect()
        more = len(gc.get_objects()) - objects
    return Scale(
        graphs=len(graphs),
        train=len(split.train),
        steps=session.run.step,
        split_seconds=opened - start,
        train_seconds=trained - opened,
        before=before,
        peak=peak.value,
        mapped=status("VmHWM"),
        objects=more,
    )


def _warm_up(folder: Path, model: str, settings: TrainingSettings) -> None:
    graphs = open_folder(folder)
    count = min(_WARM_UP, len(graphs))
    split = split_by_seed(graphs.label[:count], graphs.group[:count], 0)
    FitSession(FitSpec(graphs, split, parse_single(model), settings=settings)).run_epoch()


def in_own_process(folder: Path, model: str, settings: TrainingSettings) -> Scale:
    """``train_epoch`` in a new process, which holds nothing of what was before.

    Raises:
        subprocess.CalledProcessError: if it ends with an error.
    """
    return Scale(**ask("benchmarks.scale", folder, model, settings))


def scale_table(found: Sequence[Scale]) -> str:
    """A line for each size, as a Markdown table."""
    headers = [
        "graphs", "trained on", "steps", "split, CPU s", "epoch, CPU s", "us a graph",
        "memory before, MiB", "peak, MiB", "with mapped files, MiB", "objects",
    ]  # fmt: skip
    rows = [
        [
            f"{one.graphs:,}", f"{one.train:,}", f"{one.steps:,}", f"{one.split_seconds:.2f}",
            f"{one.train_seconds:.1f}", f"{1e6 * one.train_seconds / one.graphs:.0f}",
            f"{one.before / _MIB:.0f}", f"{one.peak / _MIB:.0f}", f"{one.mapped / _MIB:.0f}",
            one.objects,
        ]
        for one in found
    ]  # fmt: skip
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


if __name__ == "__main__":
    answer(train_epoch)
