"""``python -m benchmarks schedule``: how well the campaign keeps many GPUs at work."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cluster import HOUR, Cluster, DrawnResults, SimulatedExecutor
from harness.gates.policy import Policy
from harness.hardware import describe
from harness.matrix.blocks import TimingSettings
from harness.matrix.campaign import Campaign
from harness.matrix.judge import Judge
from harness.matrix.plan import Question, make_plan
from harness.matrix.planned import DataSet
from harness.matrix.store import Store
from harness.selection import parse_single
from harness.settings import TrainingSettings
from harness.testing import planted_graphs

if TYPE_CHECKING:
    from harness.graphs.dataset import PackedGraphs
    from harness.matrix.planned import Plan

GAINS = (0.0, 0.0, 0.0, 0.03, 0.08)
"""Effects of features, in turn: most are worth nothing."""


@dataclass(frozen=True)
class Scheduled:
    """What a simulated campaign took.

    Attributes:
        planned: trials that the plan has.
        finished: trials that ended with a result.
        unread: of them, those that no verdict reads.
        lost: attempts that failed with their GPU.
        cancelled: trials that were ended because nobody needed them any more.
        makespan: simulated seconds from the first to the last trial.
        bound: seconds that no schedule goes below: the read trials' work over all GPUs, or the
            longest of them.
        wasted: share of the GPUs' working seconds that no verdict reads.
        seconds: that the simulation itself took.
    """

    planned: int
    finished: int
    unread: int
    lost: int
    cancelled: int
    makespan: float
    bound: float
    wasted: float
    seconds: float


def plan_of(features: int, models: int, seeds: int, graphs: PackedGraphs | None = None) -> Plan:
    """A plan of made-up size: as many values of one feature, and widths of one model.

    Args:
        features: candidates.
        models: that each is judged on.
        seeds: pairs of a cell at most.
        graphs: the data set; a few that were made up by default.
    """
    graphs = planted_graphs(60) if graphs is None else graphs
    data = DataSet(
        name="drawn", source="drawn", folder=str(graphs.folder), graphs=len(graphs),
        vulnerable=int(graphs.label.sum()), notes=(),
    )  # fmt: skip
    hardware = describe()
    starts = [0.05 + 0.9 * one / features for one in range(features)]
    asked = Question(
        candidates=[(parse_single(f"swa[start={start:.6f}]"),) for start in starts],
        baseline=(),
        models=[parse_single(f"gcn[hidden={8 + one}]") for one in range(models)],
        settings=TrainingSettings(),
        timing=TimingSettings(),
        policy=Policy.ROADMAP,
        budget=seeds,
        all_gates=False,
        hardware=hardware,
        required_hardware=[hardware.kind],
    )
    return make_plan(asked, {graphs.content: (data, graphs)})


def simulate(plan: Plan, cluster: Cluster, seed: int = 0) -> Scheduled:
    """Run a plan's quality runs on a simulated cluster."""
    start = time.perf_counter()
    effects = {
        feature.name: GAINS[place % len(GAINS)] for place, feature in enumerate(plan.features)
    }
    results = DrawnResults(plan.trials, effects)
    executor = SimulatedExecutor(cluster, results, seed)
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(plan, Store(Path(folder)), results)
        Campaign(judge, executor, lambda _: None).train()
        read = _read(plan, judge)
    seconds = {
        key: executor.seconds_of(spec) for key, spec in plan.trials.items() if results.has(key)
    }
    work = sum(seconds[key] for key in read)
    unread = sum(one for key, one in seconds.items() if key not in read)
    lost = unread + executor.lost_seconds + executor.cancelled_seconds
    return Scheduled(
        planned=len(plan.trials),
        finished=len(seconds),
        unread=len(seconds) - len(read),
        lost=executor.lost,
        cancelled=executor.cancelled,
        makespan=executor.now,
        bound=max(work / cluster.gpus, *(seconds[key] for key in read)),
        wasted=lost / (work + lost),
        seconds=time.perf_counter() - start,
    )


def _read(plan: Plan, judge: Judge) -> set[str]:
    """Trials that verdicts hang on, found by replaying them."""
    read: set[str] = set()
    for feature in plan.features:
        states = judge.progress(feature).states
        for cell, state in zip(feature.cells, states, strict=True):
            read |= {*cell.baseline[: state.pairs], *cell.candidate[: state.pairs]}
    return read


def show_schedule(
    features: Annotated[int, typer.Option(min=1, help="candidates")] = 800,
    models: Annotated[int, typer.Option(min=1, max=100, help="models")] = 10,
    gpus: Annotated[int, typer.Option(min=1, help="GPUs, a trial each")] = 1000,
    failures: Annotated[float, typer.Option(min=0, help="of a GPU in an hour")] = 0.05,
    seed: Annotated[int, typer.Option(help="of durations and failures")] = 0,
) -> None:
    """Simulate the scheduling of a large campaign on GPUs that fail."""
    start = time.perf_counter()
    plan = plan_of(features, models, 10)
    typer.echo(
        f"{features} features x {models} models: {len(plan.trials):,} trials planned in "
        f"{time.perf_counter() - start:.1f} s"
    )
    found = simulate(plan, Cluster(gpus=gpus, failures=failures), seed)
    typer.echo(
        f"{found.finished:,} trials finished, {found.lost:,} attempts lost with their GPU, "
        f"{found.cancelled:,} cancelled, {found.unread:,} finished and read by no verdict"
    )
    typer.echo(
        f"makespan {found.makespan / HOUR:.1f} h, no schedule below {found.bound / HOUR:.1f} h: "
        f"{found.makespan / found.bound:.2f} times; {found.wasted:.1%} of the GPUs' work wasted; "
        f"simulated in {found.seconds:.0f} s"
    )
