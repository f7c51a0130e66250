from __future__ import annotations

import pytest

from harness.gates.cell import Cell, CellKey, judge_runs
from harness.gates.collapse import Outcome
from harness.gates.f1 import Pair, Predictions
from harness.gates.policy import Policy, rules_for
from harness.gates.verdict import judge_feature
from harness.graphs.splits import split_by_seed
from harness.hardware import describe
from harness.matrix.blocks import TimingSettings
from harness.matrix.judge import CellState, Progress
from harness.matrix.planned import DataSet, Plan, PlannedCell, PlannedFeature
from harness.report.summary import FeatureSummary, Figures, Summary
from harness.testing import planted_graphs


@pytest.fixture
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
        progress = Progress(pairs, (CellState(cell),), (), done=True)
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
