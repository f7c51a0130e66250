"""What the doctor looks at: the baseline's finished runs of one model on one data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import NotMeasuredError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.graphs.dataset import PackedGraphs
    from harness.matrix.judge import Judge
    from harness.matrix.store import GateScores, TrialResult
    from harness.report.summary import Figures
    from harness.result import EpochRecord


@dataclass(frozen=True)
class Evidence:
    """Finished runs of the baseline.

    Attributes:
        model: selection.
        graphs: the data set.
        results: one for each seed.
        gates: their predictions, of those that gave some.
        histories: their epochs, each run's; empty for one that kept none.
        references: mean F1 of the classifiers that no GNN should lose to, by name.
    """

    model: str
    graphs: PackedGraphs
    results: tuple[TrialResult, ...]
    gates: tuple[GateScores, ...]
    histories: tuple[tuple[EpochRecord, ...], ...]
    references: dict[str, float]

    @property
    def f1(self) -> list[float]:
        """F1 on *gate* of the runs that gave predictions."""
        return [one.f1 for one in self.results if one.f1 is not None]

    @property
    def trained(self) -> int:
        """Graphs that an epoch trains on, by the protocol of splits."""
        return round(0.6 * len(self.graphs))


def gather(judge: Judge, figures: Sequence[Figures]) -> list[Evidence]:
    """Evidence for each model and data set of which baseline runs are finished.

    Args:
        judge: of the store.
        figures: of its report, where the references stand.

    Raises:
        NotMeasuredError: if there is none.
        StoreError: if a stored result is damaged.
    """
    plan = judge.plan
    found: dict[tuple[str, str], list[str]] = {}
    for key, spec in plan.trials.items():
        if spec.arm == plan.baseline and judge.results.has(key):
            found.setdefault((spec.model, spec.data), []).append(key)
    if not found:
        raise NotMeasuredError(
            "no run of the baseline is finished", where=str(judge.store.root),
            mend="run first: ablate run --out DIR",
        )  # fmt: skip
    known = {(one.model, one.data): _references(one) for one in figures}
    return [
        _evidence(judge, model, data, keys, known.get((model, plan.data[data].name), {}))
        for (model, data), keys in found.items()
    ]


def _evidence(
    judge: Judge, model: str, data: str, keys: Sequence[str], references: dict[str, float]
) -> Evidence:
    results = tuple(judge.results.result(key) for key in keys)
    gates = [judge.store.gate(result) for result in results]
    return Evidence(
        model,
        judge.results.graphs(data),
        results,
        tuple(gate for gate in gates if gate is not None),
        tuple(judge.store.history(key) for key in keys),
        references,
    )


def _references(one: Figures) -> dict[str, float]:
    found = {"always vulnerable": one.always, "logistic regression": one.regression}
    return {name: f1 for name, f1 in found.items() if f1 is not None}
