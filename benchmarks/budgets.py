"""What a budget of nodes brings against a number of graphs: time and peak memory of an epoch."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tabulate import tabulate

from benchmarks.memory import status
from benchmarks.own_process import answer, ask
from harness.graphs.dataset import open_folder
from harness.graphs.splits import split_by_seed
from harness.matrix.worker import prepare
from harness.result import FitSpec
from harness.selection import parse_single
from harness.training.fit import FitSession

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.settings import TrainingSettings

_MIB = 1 << 20


@dataclass(frozen=True)
class Visit:
    """What one process saw.

    Attributes:
        steps: of an epoch.
        graphs: of a batch, on average.
        nodes: of the largest batch of an epoch.
        cpu_seconds: of an epoch with its evaluation, after one that is discarded.
        before: most bytes that the process had held before training.
        peak: most bytes that it held in the end.
    """

    steps: int
    graphs: float
    nodes: int
    cpu_seconds: float
    before: int
    peak: int


def visit(folder: Path, model: str, settings: TrainingSettings) -> Visit:
    """Train two epochs; the second one counts."""
    prepare((), threads=1)
    graphs = open_folder(folder)
    split = split_by_seed(graphs.label, graphs.group, 0)
    session = FitSession(FitSpec(graphs, split, parse_single(model), settings=settings))
    run = session.run
    run.train_on(run.batches(run.train[:2]))  # compiled loops and their compiler are no batch's
    before = status("VmHWM")
    session.run_epoch()
    start = time.process_time()
    session.run_epoch()
    seconds = time.process_time() - start
    order = run.order(1)
    bounds = run.bounds(order)
    nodes = np.add.reduceat(graphs.num_nodes[order], bounds[:-1])
    steps = len(bounds) - 1
    return Visit(steps, len(order) / steps, int(nodes.max()), seconds, before, status("VmHWM"))


def in_own_process(folder: Path, model: str, settings: TrainingSettings) -> Visit:
    """``visit`` in a new process: a peak of memory cannot be taken back.

    Raises:
        subprocess.CalledProcessError: if it ends with an error.
    """
    return Visit(**ask("benchmarks.budgets", folder, model, settings))


def budget_table(found: Mapping[str, Sequence[Visit]]) -> str:
    """A line for each way to cut, medians over its visits, as a Markdown table."""
    headers = [
        "batches", "steps", "graphs a batch", "largest, nodes", "CPU s an epoch",
        "memory for training, MiB",
    ]  # fmt: skip
    rows = []
    for name, visits in found.items():
        seconds = [one.cpu_seconds for one in visits]
        grown = [(one.peak - one.before) / _MIB for one in visits]
        first = visits[0]
        rows.append([
            name, first.steps, f"{first.graphs:.0f}", f"{first.nodes:,}",
            f"{statistics.median(seconds):.2f} ({min(seconds):.2f}-{max(seconds):.2f})",
            f"{statistics.median(grown):.0f} ({min(grown):.0f}-{max(grown):.0f})",
        ])  # fmt: skip
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


if __name__ == "__main__":
    answer(visit)
