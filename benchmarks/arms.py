"""The arms of the comparison, each in a process of its own that stays, and the talk with them.

An allocator is set when a process starts, and flags of torch hold for a whole process, so no two
arms share one. Each keeps its model and data while the others train, and takes an epoch when it is
told to; what counts is the CPU time of its process, user and system, so that work of others on
the machine tells as little as can be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import torch

from benchmarks.cells import BATCH_SIZE, CLIP_NORM, LEARNING_RATE, Cell, Precision, part_of
from benchmarks.flags import HUGE_PAGES, KEEP_MEMORY, use_onednn
from benchmarks.plain import PlainTraining
from harness.feature import make_arm
from harness.graphs.dataset import open_folder
from harness.matrix.worker import prepare
from harness.result import FitSpec
from harness.selection import parse
from harness.settings import TrainingSettings
from harness.training.fit import FitSession

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.graphs.dataset import PackedGraphs
    from harness.graphs.splits import Split

ROOT = Path(__file__).resolve().parents[1]
_FOREVER = 100_000


@dataclass(frozen=True)
class Arm:
    """A way to train.

    Attributes:
        title: shown in tables.
        environment: variables that its process starts with.
        plain: whether PyG alone trains, and not the engine.
        fused: whether Adam is the fused one; the engine's is.
        onednn: whether products in fp32 go to oneDNN by torch's flag.
    """

    title: str
    environment: Mapping[str, str] = field(default_factory=dict)
    plain: bool = True
    fused: bool = False
    onednn: bool = False

    def describe(self) -> dict[str, Any]:
        """What is set, as plain values."""
        return {"title": self.title, "environment": dict(self.environment), "fused": self.fused}


ARMS = {
    "engine": Arm("engine", plain=False),
    "r1": Arm("R1: PyG alone"),
    "r2": Arm("R2: PyG, tuned by flags", KEEP_MEMORY, fused=True, onednn=True),
    "r2-huge": Arm("R2, huge pages instead", HUGE_PAGES, fused=True, onednn=True),
}


class Training(Protocol):
    """What an arm holds of one cell."""

    def epoch(self) -> object:
        """Train and evaluate one epoch."""


class EngineTraining:
    """The engine's fit, an epoch at a time, as a trial without features takes it.

    Args:
        graphs: the data set.
        split: its parts.
        cell: what to train; bf16 is the feature ``amp``, which is how a user asks for it.
    """

    def __init__(self, graphs: PackedGraphs, split: Split, cell: Cell) -> None:
        low = cell.precision is Precision.BF16
        settings = TrainingSettings(
            epochs=_FOREVER, batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE, clip_norm=CLIP_NORM
        )
        self.session = FitSession(
            FitSpec(
                graphs=graphs,
                split=split,
                model=cell.selection,
                arm=make_arm(parse("amp[dtype=bf16]") if low else ()),
                settings=settings,
            )
        )

    def epoch(self) -> float:
        """Train and evaluate an epoch."""
        return self.session.run_epoch()


def make_training(arm: Arm, graphs: PackedGraphs, split: Split, cell: Cell) -> Training:
    """Build an arm's training of a cell."""
    if arm.plain:
        return PlainTraining(graphs, split, cell, fused=arm.fused)
    return EngineTraining(graphs, split, cell)


def serve(arm: Arm, folder: Path, count: int) -> None:
    """The life of an arm's process: a line of JSON in, a line of JSON out, until there are none.

    ``{"model", "hidden", "precision"}`` begins a cell and takes its warm-up epoch; ``{}`` takes an
    epoch. The answer holds the CPU seconds of the epoch.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints must not be taken for an answer
    if arm.plain:
        torch.set_num_threads(1)
    else:
        prepare((), threads=1)
    exact = arm.onednn and use_onednn()
    graphs = open_folder(folder)
    split = part_of(graphs, count)
    training: Training | None = None
    for line in sys.stdin:
        wanted = json.loads(line)
        if wanted:
            training = None  # the memory of the last cell is free before the next is built
            training = make_training(arm, graphs, split, to_cell(wanted))
        if training is None:
            raise ValueError("an epoch was asked for before any cell")
        start = time.process_time()
        training.epoch()
        seconds = time.process_time() - start
        answers.write(json.dumps({"cpu_seconds": seconds, "fp32_by_onednn": exact}) + "\n")


def to_cell(wanted: Mapping[str, Any]) -> Cell:
    """The cell that a line asks for."""
    return Cell(wanted["model"], int(wanted["hidden"]), Precision(wanted["precision"]))


class ArmProcess:
    """An arm's process; use it as a context.

    Args:
        name: in ``ARMS``.
        folder: of the packed data set.
        count: graphs to take.

    Attributes:
        told: what the process found out of the machine, once a cell has begun.
    """

    def __init__(self, name: str, folder: Path, count: int) -> None:
        self.told: dict[str, Any] = {}
        command = [sys.executable, "-m", "benchmarks.arms", name, str(folder), str(count)]
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **ARMS[name].environment},
        )

    @property
    def number(self) -> int:
        """Of the process, as the system knows it."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def begin(self, cell: Cell) -> None:
        """Build a cell and train its warm-up epoch."""
        wanted = {"model": cell.model, "hidden": cell.hidden, "precision": cell.precision.value}
        self.told = {"fp32_by_onednn": self._ask(wanted)["fp32_by_onednn"]}

    def epoch(self) -> float:
        """Train and evaluate an epoch; gives its CPU seconds."""
        return float(self._ask({})["cpu_seconds"])

    def _ask(self, wanted: dict[str, Any]) -> dict[str, Any]:
        pipe, answers = self._process.stdin, self._process.stdout
        if pipe is None or answers is None:
            raise ValueError("the process has no pipes")
        pipe.write(json.dumps(wanted) + "\n")
        pipe.flush()
        answer = answers.readline()
        if not answer:
            raise RuntimeError(f"the arm's process ended with code {self._process.wait()}")
        found: dict[str, Any] = json.loads(answer)
        return found


if __name__ == "__main__":
    serve(ARMS[sys.argv[1]], Path(sys.argv[2]), int(sys.argv[3]))
