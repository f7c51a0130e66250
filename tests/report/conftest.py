"""Reports that are made up, and a small store with everything that a page shows."""

from __future__ import annotations

import numpy as np
import pytest

from harness.gates.cell import Cell, CellKey, judge_runs
from harness.gates.collapse import Outcome
from harness.gates.f1 import Pair, Predictions
from harness.gates.policy import Policy, rules_for
from harness.gates.verdict import judge_feature
from harness.graphs.dataset import save
from harness.graphs.splits import split_by_seed
from harness.hardware import describe
from harness.matrix.blocks import TimingSettings
from harness.matrix.judge import Judge
from harness.matrix.plan import Question, make_plan
from harness.matrix.planned import DataSet, Plan, PlannedCell, PlannedFeature
from harness.matrix.replay import CellState, Progress
from harness.matrix.results import Results
from harness.matrix.shapes import Shape, baseline_of, candidates_of
from harness.matrix.store import GateScores, Store, TrialResult, gate_digest
from harness.metrics import Confusion
from harness.report.summary import FeatureSummary, Figures, Summary
from harness.result import EpochRecord
from harness.selection import parse_single
from harness.settings import TrainingSettings
from harness.testing import planted_graphs
from harness.training.history import FILE_NAME, write_history

HOSTILE = "</script><script>window.pwned = 1</script><img src=x onerror='window.pwned=2'>"


@pytest.fixture(scope="session")
def make_summary_once(make_summary):
    """One report, for properties that need it again and again."""
    return make_summary(gain=0, pairs=10)


@pytest.fixture(scope="session")
def make_summary():
    """A report with one candidate on one model: ``make_summary(gain=12, pairs=5, name="amp")``."""
    graphs = planted_graphs(400)

    def make(*, gain=12, pairs=5, name="amp", note="The defects are planted."):
        rules = rules_for("quality", Policy.ROADMAP)
        runs, found = [], []
        for seed in range(pairs):
            index = split_by_seed(graphs.label, graphs.group, seed).gate
            label = graphs.label[index]
            positives = label.nonzero()[0]
            worse = label.copy()
            worse[positives[:gain]] = 0
            group = graphs.group[index]
            baseline = Predictions(index, label, worse, group)
            candidate = Predictions(index, label, label, group)
            found.append(Pair(seed, baseline, candidate))
            runs.append((Outcome(seed, None, baseline.f1), Outcome(seed, None, candidate.f1)))
        f1, collapse = judge_runs(
            [two for _, two in runs], [one for one, _ in runs], found, rules, budget=10
        )
        key = CellKey("gcn", "planted", "cpu-test-1t")
        cell = Cell(key, gates={"f1": f1, "collapse": collapse}, required=rules.gates)
        planned = PlannedFeature(
            name=name, claim="quality", reference="baseline",
            cells=(
                PlannedCell(
                    model="gcn", data="d", hardware="cpu-test-1t", here=True,
                    baseline=("a",), candidate=("b",), timing="t",
                ),
            ),
        )  # fmt: skip
        plan = Plan(
            baseline=("focal_loss",), policy=Policy.ROADMAP, budget=10, all_gates=False,
            timing=TimingSettings(), hardware=("cpu-test-1t",), features=(planned,),
            data={
                "d": DataSet(
                    name="planted", source="planted", folder="x", graphs=400, vulnerable=120,
                    notes=(note,),
                )
            },
            trials={},
        )  # fmt: skip
        verdict = judge_feature([cell], [key], rules)
        progress = Progress(pairs, (CellState(cell),), (), (), done=True)
        return Summary(
            plan=plan,
            features=(FeatureSummary(planned, verdict, progress, ()),),
            figures=(Figures("planted", "gcn", pairs, 0.5, 0.01, 0.46, 0.55),),
            trials=2 * pairs,
            machines=(describe(),),
            commits=("abc",),
            notes=(note,),
        )

    return make


@pytest.fixture(scope="session")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "planted"
    return save(planted_graphs(240, seed=3), folder), folder


@pytest.fixture(scope="session")
def make_stored(packed, tmp_path_factory):
    """A judge of a filled store: ``make_stored("amp,swa", models="gcn", pairs=5)``."""
    graphs, folder = packed

    def make(
        features="amp,swa", *, models="gcn,sage", pairs=5, shape="add-one", hostile=False,
        hardware=(), policy="roadmap",
    ):  # fmt: skip
        machine = describe()
        asked = Question(
            candidates=candidates_of(features, Shape(shape)),
            baseline=baseline_of("focal_loss"),
            models=[parse_single(model) for model in models.split(",")],
            settings=TrainingSettings(epochs=6, warmup_epochs=100),
            timing=TimingSettings(epochs=1, blocks=5),
            policy=Policy(policy),
            budget=10,
            all_gates=True,
            hardware=machine,
            required_hardware=[machine.kind, *hardware],
            shape=Shape(shape),
        )
        data = DataSet(
            name=HOSTILE if hostile else "planted", source="planted", folder=str(folder),
            graphs=len(graphs), vulnerable=int(graphs.label.sum()),
            notes=(HOSTILE if hostile else "The defects are planted.",),
        )  # fmt: skip
        plan = make_plan(asked, {graphs.content: (data, graphs)})
        store = Store(tmp_path_factory.mktemp("store"))
        for place, feature in enumerate(plan.features):
            for cell in (each for each in feature.cells if each.here):
                for arm, keys in enumerate(cell.arms):
                    for key in keys[:pairs]:
                        if not store.finished(key):
                            _write(store, graphs, plan.trials[key], 12 - 3 * arm * (place % 3 + 1))
                store.keep("blocks", cell.timing, [_block(1.05 + place / 10)] * 5)
        if hostile:
            plan = plan.model_copy(update={"features": tuple(map(_renamed, plan.features))})
        return Judge(plan, store, Results(store, {graphs.content: folder}))

    return make


def _renamed(feature):
    cells = tuple(
        cell.model_copy(update={"model": f"{cell.model}{HOSTILE}"}) for cell in feature.cells
    )
    return feature.model_copy(update={"name": f"{feature.name}{HOSTILE}", "cells": cells})


def _block(ratio):
    def visit(seconds):
        return {"epochs": [seconds], "cpu": seconds, "setup": [0.1], "finish": [0.1],
                "peak_bytes": 1 << 20}  # fmt: skip

    return {"baseline": [visit(1.0), visit(1.01)], "candidate": [visit(ratio), visit(ratio)]}


def _write(store, graphs, spec, wrong):
    random = np.random.default_rng([spec.seed, wrong])
    index = np.sort(np.random.default_rng(spec.seed).permutation(len(graphs))[:160])
    label = graphs.label[index].astype(np.uint8)
    predicted = label.copy()
    predicted[random.choice(np.flatnonzero(label == 1), wrong + spec.seed % 3)] = 0
    probability = np.clip(0.2 + 0.6 * predicted + random.normal(0, 0.1, len(label)), 0, 1)
    gate = GateScores(index, label, predicted, probability.astype(np.float32))
    history = [_record(epoch, wrong, random) for epoch in range(spec.settings.epochs)]
    write_history(store.work(spec.key) / FILE_NAME, history)
    result = TrialResult(
        spec=spec, hardware=describe(), git_commit="a" * 40, metrics={}, best_epoch=0,
        f1=Confusion.of(label, predicted).f1, threshold=0.5, epochs=len(history), collapse=None,
        notes=(), wall_seconds=1.0, cpu_seconds=1.0, gate_digest=gate_digest(gate),
    )  # fmt: skip
    store.write(result, gate)


def _record(epoch, wrong, random):
    zeros = {name: field.annotation(0) for name, field in EpochRecord.model_fields.items()}
    f1 = 0.75 - wrong / 60 - 0.5 / (epoch + 1) + random.normal(0, 0.02)
    loss = 0.3 + 0.4 / (epoch + 1) + random.normal(0, 0.01)
    return EpochRecord(**{**zeros, "epoch": epoch, "f1": float(f1), "train_loss": float(loss)})
