"""``python -m benchmarks campaign``: what a large campaign costs beside its training."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.progress import track
from tabulate import tabulate

from benchmarks.arms import ROOT
from benchmarks.cluster import rng_of
from benchmarks.schedule import plan_of
from harness.files import write_json
from harness.graphs.dataset import save
from harness.graphs.splits import split_by_seed
from harness.hardware import describe
from harness.matrix.planned import PLAN_FILE
from harness.matrix.store import GateScores, Store, TrialResult, gate_digest
from harness.metrics import Confusion
from harness.seal import sealed
from harness.testing import planted_graphs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from harness.graphs.dataset import PackedGraphs
    from harness.matrix.planned import Plan
    from harness.matrix.spec import TrialSpec

_MIB = 1 << 20
_PAIRS = 10
_WRONG = 0.3


@dataclass(frozen=True)
class Cost:
    """What a step took.

    Attributes:
        step: its name.
        wall: seconds.
        cpu: seconds.
        peak: most memory of its process, in bytes; 0 where it has none of its own.
    """

    step: str
    wall: float
    cpu: float
    peak: int = 0


def lay_out_and_store(
    folder: Path, features: int, models: int, graphs: PackedGraphs
) -> tuple[int, list[Cost]]:
    """Plan a campaign and store made-up results of all its pairs.

    Args:
        folder: of the store.
        features: candidates, some of them better than the baseline.
        models: that each is judged on.
        graphs: stored; their gate parts are predicted.

    Returns:
        How many trials are stored, and what each step took.
    """
    costs: list[Cost] = []
    with _measured("lay the plan out", costs):
        plan = plan_of(features, models, _PAIRS, graphs)
    with _measured("write the plan", costs):
        write_json(folder / PLAN_FILE, sealed(plan.model_dump(mode="json")))
    store = Store(folder)
    kept = _kept(plan)
    gates = {seed: split_by_seed(graphs.label, graphs.group, seed).gate for seed in range(_PAIRS)}
    with _measured("store the results", costs):
        for key, gain in track(kept.items(), "made-up results", transient=True):
            spec = plan.trials[key]
            index = gates[spec.seed]
            _write(store, spec, index, graphs.label[index].astype(np.uint8), gain)
    return len(kept), costs


def _kept(plan: Plan) -> dict[str, float]:
    """Trials of all pairs, each with its gain: the share of mistakes that is mended."""
    kept = {}
    for place, feature in enumerate(plan.features):
        for cell in feature.cells:
            kept |= dict.fromkeys(cell.baseline[:_PAIRS], 0.0)
            kept |= dict.fromkeys(cell.candidate[:_PAIRS], 0.05 * (place % 4))
    return kept


def _write(
    store: Store, spec: TrialSpec, index: NDArray[np.int64], label: NDArray[np.uint8], gain: float
) -> None:
    scores = GateScores(index, label, *_predicted(label, spec, gain))
    store.write(
        TrialResult(
            spec=spec,
            hardware=describe(),
            git_commit=None,
            f1=Confusion.of(label, scores.predicted).f1,
            metrics={},
            best_epoch=0,
            threshold=0.5,
            epochs=1,
            collapse=None,
            notes=(),
            wall_seconds=1.0,
            cpu_seconds=1.0,
            gate_digest=gate_digest(scores),
        ),
        scores,
    )


def _predicted(
    label: NDArray[np.uint8], spec: TrialSpec, gain: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    # Arms of a pair share most of their mistakes, as trained ones do.
    shared = rng_of("mistakes", spec.seed, spec.model).random(len(label))
    own = rng_of("own", spec.key).random(len(label))
    wrong = np.where(own < _WRONG, own / _WRONG, shared) < _WRONG * (1 - gain)
    predicted = np.where(wrong, 1 - label, label).astype(np.uint8)
    return predicted, np.where(predicted == 1, 0.8, 0.2).astype(np.float32)


def report(folder: Path, *words: str) -> Cost:
    """Run ``ablate report`` in a process of its own.

    Raises:
        RuntimeError: if it cannot read the store.
    """
    start = time.perf_counter()
    command = [sys.executable, "-m", "harness", "report", str(folder), *words]
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=nowhere, stderr=nowhere, cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1, 3):
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return Cost(
        " ".join(["ablate report", *words]), time.perf_counter() - start,
        usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024,
    )  # fmt: skip


@contextmanager
def _measured(step: str, costs: list[Cost]) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    costs.append(Cost(step, time.perf_counter() - wall, time.process_time() - cpu))


def show_campaign(
    features: Annotated[int, typer.Option(min=1, help="candidates")] = 100,
    models: Annotated[int, typer.Option(min=1, max=100, help="models")] = 10,
    graphs: Annotated[int, typer.Option(min=100, help="graphs of the data set")] = 8000,
) -> None:
    """Plan a large campaign, store made-up results of it, and report on them."""
    with tempfile.TemporaryDirectory() as folder:
        data = save(planted_graphs(graphs, seed=0), Path(folder) / "data")
        store = Path(folder) / "store"
        trials, costs = lay_out_and_store(store, features, models, data)
        costs += [report(store, "--format", name) for name in ("console", "json", "html")]
    rows = [
        (
            cost.step,
            f"{cost.wall:.2f}",
            f"{cost.cpu:.2f}",
            f"{cost.peak / _MIB:.0f}" * bool(cost.peak),
        )
        for cost in costs
    ]
    typer.echo(f"{features} features x {models} models, {trials:,} trials stored")
    typer.echo(tabulate(rows, headers=["step", "wall s", "CPU s", "peak MiB"], floatfmt=".2f"))
