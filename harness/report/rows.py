"""Rows of the verdict table, the same for every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.gates.collapse import CollapseResult
from harness.gates.time import TimeResult
from harness.gates.words import Verdict

if TYPE_CHECKING:
    from harness.gates.cell import Cell
    from harness.gates.f1_gate import F1Result
    from harness.report.summary import Figures, Summary

CELL_HEADERS = (
    "feature", "model", "data", "hardware", "verdict", "pairs", "F1 base", "F1 with",
    "gain", "at least", "at most", "sd", "collapses", "time", "time bounds",
)  # fmt: skip
FEATURE_HEADERS = ("feature", "claim", "compared with", "verdict", "why")
FIGURE_HEADERS = ("data", "model", "seeds", "baseline F1", "always vulnerable", "regression")
MISSING = "-"


def feature_rows(summary: Summary) -> list[list[str]]:
    """One row a candidate: ``FEATURE_HEADERS``."""
    return [
        [
            one.planned.name,
            one.planned.claim,
            one.planned.reference,
            said(one.word),
            "; ".join((*one.problems, *one.verdict.reasons)) or one.verdict.sentence,
        ]
        for one in summary.features
    ]


def cell_rows(summary: Summary) -> list[list[str]]:
    """One row a cell: ``CELL_HEADERS``; F1 gain and bounds in points."""
    return [
        [one.planned.name, *cell_row(cell)]
        for one in summary.features
        for cell in one.verdict.cells
    ]


def cell_row(cell: Cell) -> list[str]:
    """A cell's row without the feature's name."""
    return [
        cell.key.model, cell.key.data, cell.key.hardware, said(cell.verdict),
        *_f1(cell.f1), _collapse(cell), *_time(cell),
    ]  # fmt: skip


def figure_rows(figures: tuple[Figures, ...]) -> list[list[str]]:
    """Baselines beside their references: ``FIGURE_HEADERS``."""
    return [
        [
            one.data,
            one.model,
            str(one.seeds),
            f"{one.baseline:.3f} +- {one.spread:.3f}",
            MISSING if one.always is None else f"{one.always:.3f}",
            MISSING if one.regression is None else f"{one.regression:.3f}",
        ]
        for one in figures
    ]


def said(verdict: Verdict) -> str:
    """A verdict as people read it."""
    return (
        verdict.value.replace("_", " ").lower()
        if verdict is Verdict.NOT_MEASURED
        else verdict.value
    )


def points(value: float | None) -> str:
    """A difference of F1 in points."""
    return MISSING if value is None else f"{100 * value:+.1f}"


def _f1(result: F1Result | None) -> list[str]:
    if result is None:
        return [MISSING] * 7
    decision, seen = result.decision, result.evidence
    base, with_it = seen.baseline[: decision.n], seen.candidate[: decision.n]
    return [
        f"{decision.n}",
        f"{sum(base) / len(base):.3f}" if base else MISSING,
        f"{sum(with_it) / len(with_it):.3f}" if with_it else MISSING,
        points(decision.mean),
        points(decision.lower),
        points(decision.upper),
        MISSING if decision.sd is None else f"{100 * decision.sd:.1f}",
    ]


def _collapse(cell: Cell) -> str:
    result = cell.gates.get("collapse")
    if not isinstance(result, CollapseResult):
        return MISSING
    return f"{len(result.collapsed)} of {len(result.candidate)}"


def _time(cell: Cell) -> list[str]:
    result = cell.gates.get("time")
    if not isinstance(result, TimeResult) or result.ratio is None:
        return [MISSING, MISSING]
    low, high = result.bounds
    shown = [MISSING if bound is None else f"{bound:.2f}" for bound in (low, high)]
    return [f"{result.ratio:.2f}", " to ".join(shown)]
