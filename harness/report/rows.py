"""Rows of the verdict table, the same for every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.gates.collapse import CollapseResult
from harness.gates.complexity import COMPLEXITY, ComplexityResult
from harness.gates.time import TimeResult
from harness.gates.words import Verdict
from harness.report.shapes import arm_word, run_words

if TYPE_CHECKING:
    from harness.gates.cell import Cell
    from harness.gates.f1_gate import F1Result
    from harness.matrix.shapes import Shape
    from harness.report.summary import FeatureSummary, Figures, Summary

CELL_HEADERS = (
    "feature", "model", "data", "hardware", "verdict", "pairs", "F1 base", "F1 with",
    "gain", "at least", "at most", "sd", "collapses", "time", "time bounds",
)  # fmt: skip
FEATURE_HEADERS = ("feature", "claim", "compared with", "verdict", "why")
COMPLEXITY_HEADERS = (
    "feature", "model", "data", "hardware", "lines", "cognitive", "hooks", "new dependencies",
    "points per 100 lines", "from", "to", "complexity",
)  # fmt: skip
FIGURE_HEADERS = ("data", "model", "seeds", "baseline F1", "always vulnerable", "regression")
MISSING = "-"


def cell_headers(shape: Shape) -> tuple[str, ...]:
    """``CELL_HEADERS`` in the words of a shape."""
    words = dict(zip(("F1 base", "F1 with"), run_words(shape), strict=True))
    return tuple(f"F1 {words[one]}" if one in words else one for one in CELL_HEADERS)


def figure_headers(shape: Shape) -> tuple[str, ...]:
    """``FIGURE_HEADERS`` in the words of a shape."""
    return tuple(one.replace("baseline", arm_word(shape)) for one in FIGURE_HEADERS)


def feature_rows(summary: Summary) -> list[list[str]]:
    """One row a candidate: ``FEATURE_HEADERS``."""
    return [
        [
            one.planned.name,
            one.planned.claim,
            one.planned.reference,
            said(one.word),
            one.why,
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


def complexity_line(one: FeatureSummary) -> str:
    """A candidate's size once, and its gain by size for every cell; empty where not known."""
    found = _complexities(one)
    if not found:
        return ""
    gains = [f"{cell.key.model} {result.gain}" for cell, result in found if result.gain]
    return "; ".join((found[0][1].size, *gains))


def complexity_rows(summary: Summary) -> list[list[str]]:
    """One row a cell whose complexity is known: ``COMPLEXITY_HEADERS``, measures beside limits."""
    rows = []
    for one in summary.features:
        for cell, result in _complexities(one):
            where = (cell.key.model, cell.key.data, cell.key.hardware)
            sizes = [f"{value} of {limit}" for value, limit in result.limits.values()]
            per = [MISSING if value is None else f"{value:+.1f}" for value in result.per_100_lines]
            word = said(result.verdict) if result.judged else "reported"
            rows.append([one.planned.name, *where, *sizes, *per, word])
    return rows


def _complexities(one: FeatureSummary) -> list[tuple[Cell, ComplexityResult]]:
    found = [(cell, cell.gates.get(COMPLEXITY)) for cell in one.verdict.cells]
    return [(cell, result) for cell, result in found if isinstance(result, ComplexityResult)]


def other_lines(summary: Summary) -> list[str]:
    """What the other policy would say, one line a candidate."""
    return [
        f"{one.planned.name} {one.other.sentence}"
        for one in summary.features
        if one.other is not None
    ]


def warnings_of(summary: Summary) -> list[str]:
    """What must be read with care, each sentence once: lost to references, weak gates, data."""
    found = [one.warning for one in summary.figures if one.warning]
    found += [
        f"{one.planned.name}, {cell.key.model}: {warning}"
        for one in summary.features
        for cell in one.verdict.cells
        if cell.f1 is not None
        for warning in cell.f1.warnings
    ]
    return list(dict.fromkeys((*found, *summary.notes)))


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
