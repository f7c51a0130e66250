"""The report as Markdown: for a pull request, a job summary, or to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from harness.matrix.shapes import Shape
from harness.report.rows import (
    COMPLEXITY_HEADERS,
    FEATURE_HEADERS,
    cell_headers,
    cell_rows,
    complexity_rows,
    feature_rows,
    figure_headers,
    figure_rows,
    other_lines,
    said,
)
from harness.report.shapes import (
    INTERACTION_HEADERS,
    READING,
    arm_word,
    interaction_rows,
    shape_lines,
    uncombined_lines,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.summary import Summary

_READING = (
    "F1 is of the vulnerable class on *gate*; gain, bounds and sd are in points. *At least* and "
    "*at most* are the sequential bounds: a gate passes when *at least* exceeds the margin and "
    "fails when *at most* falls below it. Time is total training time, with over without."
)

_SIZES = (
    "Each measure stands beside its limit; beyond one, the gain must exceed a multiple of the "
    "margin. Points of F1 per 100 logical lines are the cell's gain and its bounds, divided."
)


def to_markdown(summary: Summary) -> str:
    """The whole report; text that comes from outside is escaped."""
    parts = [
        f"# Ablation: {said(summary.verdict)}",
        _preamble(summary),
        "## Features",
        _table(feature_rows(summary), FEATURE_HEADERS),
        *_others(summary),
        *_shape(summary),
        "## Cells",
        _READING,
        _table(cell_rows(summary), cell_headers(summary.plan.shape)),
        "## Complexity",
        _SIZES,
        _table(complexity_rows(summary), COMPLEXITY_HEADERS),
        f"## What the {arm_word(summary.plan.shape)} is worth",
        _table(figure_rows(summary.figures), figure_headers(summary.plan.shape)),
        *_warnings(summary),
        "## Where this comes from",
        _provenance(summary),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(rows: list[list[str]], headers: Sequence[str]) -> str:
    if not rows:
        return "Nothing yet."
    escaped = [[_escape(text) for text in row] for row in rows]
    return tabulate(escaped, headers=headers, tablefmt="pipe", disable_numparse=True)


def _escape(text: str) -> str:
    for sign in "\\`*_{}[]<>|#":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\n", " ")


def _preamble(summary: Summary) -> str:
    plan = summary.plan
    data = "; ".join(
        f"{_escape(one.name)}: {one.graphs} graphs, {one.vulnerable} vulnerable"
        for one in plan.data.values()
    )
    baseline = _escape(" + ".join(plan.baseline) or "no feature")
    policy = f"Policy *{plan.policy.value}*; {arm_word(plan.shape)}: {baseline}; data: {data}."
    count = f"{summary.trials} trials were read; "
    fixed = f"a fixed design of {summary.fixed_words} runs a cell takes {summary.fixed_design}."
    return f"{policy}\n{count}{fixed}"


def _warnings(summary: Summary) -> list[str]:
    found = [one.warning for one in summary.figures if one.warning]
    found += [
        f"{one.planned.name}, {cell.key.model}: {warning}"
        for one in summary.features
        for cell in one.verdict.cells
        if cell.f1 is not None
        for warning in cell.f1.warnings
    ]
    found += summary.notes
    if not found:
        return []
    return ["## Read with care", "\n".join(f"- {_escape(text)}" for text in dict.fromkeys(found))]


def _others(summary: Summary) -> list[str]:
    lines = other_lines(summary)
    return ["\n".join(f"- {_escape(line)}" for line in lines)] if lines else []


def _shape(summary: Summary) -> list[str]:
    """The section that the shape adds; none for add-one."""
    found = [
        f"{one.planned.name}, {line}"
        for one in summary.features
        for line in shape_lines(summary, one)
    ]
    sentences = "\n".join(f"- {_escape(line)}" for line in (*found, *uncombined_lines(summary)))
    match summary.plan.shape:
        case Shape.DROP_ONE:
            return ["## What is lost without each", sentences]
        case Shape.PAIRS:
            table = _table(interaction_rows(summary), INTERACTION_HEADERS)
            return ["## Interactions", READING, table, sentences]
    return []


def _provenance(summary: Summary) -> str:
    lines = [f"- data {key}: {_escape(one.source)}" for key, one in summary.plan.data.items()]
    lines += [
        f"- store {_escape(one.folder)}: {_escape(', '.join(one.hardware))}"
        for one in summary.plan.sources
    ]
    for machine in summary.machines:
        versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
        described = f"{machine.name}, {machine.cores} cores, {machine.system}; {versions}"
        lines.append(f"- {_escape(machine.kind)}: {_escape(described)}")
    lines += [f"- commit {commit}" for commit in summary.commits]
    return "\n".join(lines)
