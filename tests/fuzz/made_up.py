"""A finished store without a minute of training: every file of it is what a campaign writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.files import write_json
from harness.gates.policy import Policy
from harness.graphs.dataset import save
from harness.graphs.splits import split_by_seed
from harness.hardware import describe
from harness.matrix.blocks import TimingSettings
from harness.matrix.plan import Question, make_plan
from harness.matrix.planned import PLAN_FILE, DataSet
from harness.matrix.records import Failure
from harness.matrix.references import PART, name_of
from harness.matrix.shapes import Shape, baseline_of, candidates_of
from harness.matrix.store import GateScores, Store, TrialResult, gate_digest
from harness.metrics import Confusion
from harness.result import EpochRecord
from harness.selection import parse_single
from harness.settings import TrainingSettings
from harness.testing import planted_graphs
from harness.training.history import FILE_NAME, write_history

if TYPE_CHECKING:
    from pathlib import Path

    from harness.graphs.dataset import PackedGraphs
    from harness.matrix.planned import Plan
    from harness.matrix.spec import TrialSpec

PAIRS = 3


def make_store(folder: Path, features: str = "swa", shape: str = "add-one") -> Plan:
    """Fill ``folder/out`` and ``folder/data``; three pairs of each cell, all blocks, no misses."""
    graphs = save(planted_graphs(120, seed=3), folder / "data")
    machine = describe()
    asked = Question(
        candidates=candidates_of(features, Shape(shape)),
        baseline=baseline_of("focal_loss"),
        models=[parse_single("gcn[hidden=8]")],
        settings=TrainingSettings(epochs=2, warmup_epochs=100),
        timing=TimingSettings(epochs=1, blocks=5),
        policy=Policy("roadmap"),
        budget=PAIRS,
        all_gates=True,
        hardware=machine,
        required_hardware=[machine.kind, "t4"],
        shape=Shape(shape),
    )
    data = DataSet(
        name=graphs.info.name, source=graphs.info.source, folder=str(folder / "data"),
        graphs=len(graphs), vulnerable=int(graphs.label.sum()), notes=graphs.info.notes,
    )  # fmt: skip
    plan = make_plan(asked, {graphs.content: (data, graphs)})
    store = Store(folder / "out")
    write_json(store.root / PLAN_FILE, plan.model_dump(mode="json"))
    for feature in plan.features:
        for cell in (one for one in feature.cells if one.here):
            for arm, keys in enumerate(cell.arms):
                for key in keys[:PAIRS]:
                    if not store.finished(key):
                        _finish(store, graphs, plan.trials[key], 1 + arm)
            store.keep("blocks", cell.timing, [_block() for _ in range(5)])
            store.fail(cell.baseline[PAIRS], Failure(kind="killed", detail="no memory", log="x"))
    for seed in range(PAIRS):
        figures = {"always_vulnerable": 0.4, "regression": 0.5, "iterations": 9}
        store.keep(PART, name_of(graphs.content, seed), figures)
    return plan


def _block() -> dict[str, object]:
    visit = {"epochs": [1.0], "cpu": 1.0, "setup": [0.1], "finish": [0.1], "peak_bytes": 1 << 20}
    order = ["baseline", "candidate", "candidate", "baseline"]
    return {"order": order, "baseline": [visit, visit], "candidate": [visit, visit]}


def _finish(store: Store, graphs: PackedGraphs, spec: TrialSpec, right: int) -> None:
    index = split_by_seed(graphs.label, graphs.group, spec.seed).gate
    label = graphs.label[index].astype(np.uint8)
    predicted = label.copy()
    predicted[np.flatnonzero(label)[right * 2 :]] = 0
    gate = GateScores(index, label, predicted, predicted.astype(np.float32))
    zeros = {name: field.annotation(0) for name, field in EpochRecord.model_fields.items()}
    write_history(
        store.work(spec.key) / FILE_NAME, [EpochRecord(**{**zeros, "epoch": at}) for at in (0, 1)]
    )
    result = TrialResult(
        spec=spec, hardware=describe(), git_commit="a" * 40, metrics={"auc": 0.5}, best_epoch=0,
        f1=Confusion.of(label, predicted).f1, threshold=0.5, epochs=2, collapse=None,
        notes=("a note",), wall_seconds=1.0, cpu_seconds=1.0, gate_digest=gate_digest(gate),
    )  # fmt: skip
    store.write(result, gate)
