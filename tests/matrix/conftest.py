from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.gates.complexity import USUAL
from harness.gates.policy import Policy
from harness.graphs.dataset import save
from harness.hardware import describe
from harness.matrix.blocks import TimingSettings
from harness.matrix.judge import Judge
from harness.matrix.plan import Question, make_plan
from harness.matrix.planned import DataSet
from harness.matrix.results import Results
from harness.matrix.shapes import Shape, baseline_of, candidates_of
from harness.matrix.store import GateScores, Store, TrialResult, gate_digest
from harness.metrics import Confusion
from harness.registry import import_plugin
from harness.result import Collapse
from harness.selection import parse_single
from harness.settings import TrainingSettings
from harness.testing import planted_graphs

PLUGIN = Path(__file__).parent / "planted_features.py"


@pytest.fixture(scope="session", autouse=True)
def _planted_features():
    import_plugin(PLUGIN)


@pytest.fixture
def plugin():
    return str(PLUGIN)


@pytest.fixture(scope="session")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "planted"
    return save(planted_graphs(240, seed=3), folder), folder


@pytest.fixture
def make_judge(tmp_path, packed):
    """A plan with its store: ``make_judge("amp", models="gcn", budget=5)``."""
    graphs, folder = packed

    def make(features, *, models="gcn", baseline="plain", budget=5, policy="roadmap", **more):
        hardware = describe()
        shape = Shape(more.pop("shape", "add-one"))
        settings = more.pop("settings", TrainingSettings(epochs=3, warmup_epochs=100))
        asked = Question(
            candidates=candidates_of(features, shape),
            baseline=baseline_of(baseline),
            models=[parse_single(model) for model in models.split(",")],
            settings=settings,
            timing=TimingSettings(epochs=1, blocks=more.pop("blocks", 5)),
            policy=Policy(policy),
            budget=budget,
            all_gates=more.pop("all_gates", False),
            hardware=hardware,
            required_hardware=more.pop("hardware", None) or [hardware.kind],
            complexity=more.pop("complexity", USUAL),
            overrides=more.pop("overrides", {}),
            shape=shape,
            devices=more.pop("devices", {}),
        )
        dataset = DataSet(
            name="planted",
            source="planted",
            folder=str(folder),
            graphs=len(graphs),
            vulnerable=int(graphs.label.sum()),
            notes=graphs.info.notes,
        )
        plan = make_plan(asked, {graphs.content: (dataset, graphs)})
        store = Store(tmp_path / more.pop("store", "store"))
        assert not more, more
        return Judge(plan, store, Results(store, {graphs.content: folder}))

    return make


@pytest.fixture
def write_trial(packed):
    """Store a made-up result: ``write_trial(judge, key, wrong=3)`` mislabels three gate graphs."""
    graphs, _ = packed

    def write(judge, key, *, wrong=0, collapse=None):
        spec = judge.plan.trials[key]
        random = np.random.default_rng(spec.seed)
        index = np.sort(random.permutation(len(graphs))[:120])
        label = graphs.label[index].astype(np.uint8)
        predicted = label.copy()
        positives = np.flatnonzero(label == 1)
        predicted[positives[:wrong]] = 0
        gate = GateScores(index, label, predicted, predicted.astype(np.float32))
        result = TrialResult(
            spec=spec,
            hardware=describe(),
            git_commit=None,
            f1=Confusion.of(label, predicted).f1,
            metrics={},
            best_epoch=0,
            threshold=0.5,
            epochs=1,
            collapse=None if collapse is None else Collapse(rule=collapse, epoch=0, detail=""),
            notes=(),
            wall_seconds=1.0,
            cpu_seconds=1.0,
            gate_digest=gate_digest(gate),
        )
        judge.store.write(result, gate)
        return result, gate

    return write
