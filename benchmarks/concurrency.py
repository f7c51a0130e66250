"""How much more two trials at once get done than one after the other."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tabulate import tabulate

from harness.hardware import describe
from harness.matrix.local import LocalExecutor
from harness.matrix.spec import make_spec
from harness.matrix.store import Store
from harness.selection import parse_single
from harness.settings import TrainingSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.graphs.dataset import PackedGraphs
    from harness.matrix.spec import TrialSpec

_TIMEOUT = 3600.0


@dataclass(frozen=True)
class Round:
    """Some trials, so many at once.

    Attributes:
        trials: how many.
        seconds: wall time from the first start to the last end.
        cpu_seconds: of a trial, the median.
        load: average number of processes on the machine, over the last minute.
    """

    trials: int
    seconds: float
    cpu_seconds: float
    load: float

    @property
    def throughput(self) -> float:
        """Trials a second."""
        return self.trials / self.seconds


def run_round(graphs: PackedGraphs, folder: Path, model: str, jobs: int, trials: int) -> Round:
    """Run trials of as many seeds through the local executor, into a store of their own.

    Raises:
        RuntimeError: if a trial gives no result.
    """
    settings = TrainingSettings(epochs=3, warmup_epochs=100)
    first = make_spec(
        graphs.content, graphs.info.name, parse_single(model), (), settings, describe()
    )
    specs = [first.model_copy(update={"seed": seed}) for seed in range(trials + 1)]
    with tempfile.TemporaryDirectory(prefix="gnn-ablation-concurrency-") as scratch:
        store = Store(Path(scratch))
        executor = LocalExecutor(store, jobs, _TIMEOUT)
        try:
            # The fork server starts with the first trial, which no round is to pay for.
            _drain(executor, specs[:1], folder)
            start = time.perf_counter()
            _drain(executor, specs[1:], folder)
            seconds = time.perf_counter() - start
        finally:
            executor.stop()
        spent = [store.result(spec.key).cpu_seconds for spec in specs[1:]]
    return Round(trials, seconds, statistics.median(spent), os.getloadavg()[0])


def _drain(executor: LocalExecutor, specs: Sequence[TrialSpec], folder: Path) -> None:
    waiting = list(specs)
    while waiting or executor.running:
        while waiting and executor.free:
            executor.start(waiting.pop(0), folder)
        for outcome in executor.wait():
            if outcome.status != "finished":
                raise RuntimeError(f"trial {outcome.key}: {outcome.status}")


def concurrency_table(found: Mapping[int, Sequence[Round]]) -> str:
    """A line for each number of trials at once, medians; the first one is gained on."""
    base = next(iter(found.values()))
    rows = []
    for jobs, rounds in found.items():
        gains = [here.throughput / one.throughput for one, here in zip(base, rounds, strict=True)]
        rows.append([
            jobs, rounds[0].trials,
            f"{statistics.median(one.throughput for one in rounds):.3f}",
            f"{statistics.median(gains):.2f} ({min(gains):.2f}-{max(gains):.2f})",
            f"{statistics.median(one.cpu_seconds for one in rounds):.2f}",
            f"{statistics.median(one.load for one in rounds):.1f}",
        ])  # fmt: skip
    headers = ["at once", "trials", "trials a second", "gain", "CPU s a trial", "load"]
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)
