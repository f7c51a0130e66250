"""What stands at the top of the page: both forests, collapses, and the grid of hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.gates.collapse import CollapseResult, probability_bound
from harness.gates.time import TimeResult
from harness.gates.words import Verdict
from harness.report.html.charts import Chart, Interval, Table, forest
from harness.report.rows import MISSING, cell_headers, cell_rows, said

if TYPE_CHECKING:
    from harness.gates.cell import Cell
    from harness.report.summary import Summary

_SEPARATOR: Final = " \u00b7 "
_TIME_HEADERS: Final = (
    "feature", "model", "data", "hardware", "verdict", "blocks", "ratio", "at least", "at most",
    "of epochs alone", "of CPU time", "once, reference", "once, candidate",
)  # fmt: skip
_COLLAPSE_HEADERS: Final = (
    "cell", "verdict", "runs", "collapsed", "reference collapsed", "probability, at 95 % below",
)  # fmt: skip


def f1_forest(summary: Summary) -> Chart | None:
    """F1 differences with both bounds, in points; None before the first pair."""
    rows = []
    for name, cell in _cells(summary):
        result = cell.f1
        if result is None or result.decision.mean is None:
            continue
        decision = result.decision
        rows.append(
            Interval(
                name=_row(summary, name, cell),
                verdict=result.verdict,
                mean=100 * result.decision.mean,
                low=None if decision.lower is None else 100 * decision.lower,
                high=None if decision.upper is None else 100 * decision.upper,
                limit=100 * decision.margin,
            )
        )
    table = Table(
        "Every cell; gain, bounds and sd in points of F1",
        cell_headers(summary.plan.shape),
        tuple(map(tuple, cell_rows(summary))),
    )
    title = "F1 differences"
    if not rows:
        return None
    return forest(title, "points of F1, candidate less reference", rows, table, zero=0, digits=1)


def time_forest(summary: Summary) -> Chart | None:
    """Ratios of training time with both bounds; None where nothing was timed."""
    rows, numbers = [], []
    for name, cell in _cells(summary):
        result = cell.gates.get("time")
        if not isinstance(result, TimeResult) or result.ratio is None:
            continue
        low, high = result.bounds
        rows.append(
            Interval(
                _row(summary, name, cell),
                result.verdict,
                result.ratio,
                low,
                high,
                limit=result.max_ratio,
            )
        )
        ratios = (result.ratio, low, high, result.epoch_ratio, result.cpu_ratio)
        numbers.append(
            (
                name, *_where(cell), said(result.verdict), str(result.decision.n),
                *(MISSING if one is None else f"{one:.3f}" for one in ratios),
                f"{result.cost.baseline:.2f} s", f"{result.cost.candidate:.2f} s",
            )
        )  # fmt: skip
    if not rows:
        return None
    table = Table("Training time, candidate over reference", _TIME_HEADERS, tuple(numbers))
    axis = "times as long as the reference"
    return forest("Training time", axis, rows, table, zero=1, digits=2)


def collapses(summary: Summary) -> Table:
    """Collapsed runs of each cell."""
    rows = []
    for name, cell in _cells(summary):
        result = cell.gates.get("collapse")
        if not isinstance(result, CollapseResult):
            continue
        theirs = [f"seed {run.seed}: {run.collapsed}" for run in result.collapsed]
        ours = [f"seed {run.seed}: {run.collapsed}" for run in result.baseline if run.collapsed]
        bound = probability_bound(len(result.collapsed), len(result.candidate))
        rows.append(
            (
                _row(summary, name, cell),
                said(result.verdict),
                str(len(result.candidate)),
                ", ".join(theirs) or "none",
                ", ".join(ours) or "none",
                f"{bound:.1%}",
            )
        )
    return Table("Collapsed runs of each cell", _COLLAPSE_HEADERS, tuple(rows))


def hardware_grid(summary: Summary) -> Table:
    """Each cell's verdict by kind of hardware; what was not run says so."""
    grid: dict[tuple[str, str, str], dict[str, Verdict]] = {}
    kinds = dict.fromkeys(summary.plan.hardware)
    for name, cell in _cells(summary):
        grid.setdefault((name, cell.key.model, cell.key.data), {})[cell.key.hardware] = cell.verdict
        kinds.setdefault(cell.key.hardware)
    rows = tuple(
        (_joined(summary, *key), *(_word(found.get(kind, Verdict.NOT_MEASURED)) for kind in kinds))
        for key, found in grid.items()
    )
    return Table("Verdicts by kind of hardware", ("cell", *kinds), rows)


def _word(verdict: Verdict) -> str:
    return "not run" if verdict is Verdict.NOT_MEASURED else said(verdict)


def _cells(summary: Summary) -> list[tuple[str, Cell]]:
    return [(one.planned.name, cell) for one in summary.features for cell in one.verdict.cells]


def _where(cell: Cell) -> tuple[str, str, str]:
    return cell.key.model, cell.key.data, cell.key.hardware


def _row(summary: Summary, name: str, cell: Cell) -> str:
    """A cell's name, without what all cells have in common."""
    hardware = [cell.key.hardware] if len(summary.plan.hardware) > 1 else []
    return _SEPARATOR.join((_joined(summary, name, cell.key.model, cell.key.data), *hardware))


def _joined(summary: Summary, name: str, model: str, data: str) -> str:
    return _SEPARATOR.join((name, model, *([data] if len(summary.plan.data) > 1 else [])))
