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
    warnings_of,
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

SIZES = (
    "Each measure stands beside its limit; beyond one, the gain must exceed a multiple of the "
    "margin. Points of F1 per 100 logical lines are the cell's gain and its bounds, divided."
)


def to_markdown(summary: Summary) -> str:
    """The whole report; text that comes from outside is escaped."""
    parts = [
        f"# Ablation: {said(summary.verdict)}",
        _preamble(summary),
        "## Features",
        table(feature_rows(summary), FEATURE_HEADERS),
        *_others(summary),
        *_shape(summary),
        "## Cells",
        _READING,
        table(cell_rows(summary), cell_headers(summary.plan.shape)),
        "## Complexity",
        SIZES,
        table(complexity_rows(summary), COMPLEXITY_HEADERS),
        f"## What the {arm_word(summary.plan.shape)} is worth",
        table(figure_rows(summary.figures), figure_headers(summary.plan.shape)),
        *_warnings(summary),
        "## Where this comes from",
        _provenance(summary),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(rows: list[list[str]], headers: Sequence[str]) -> str:
    """A Markdown table of plain texts, which are escaped."""
    if not rows:
        return "Nothing yet."
    escaped = [[escape(text) for text in row] for row in rows]
    return tabulate(escaped, headers=headers, tablefmt="pipe", disable_numparse=True)


def escape(text: str) -> str:
    """A text on one line in which Markdown and HTML see nothing of theirs."""
    # Not every Markdown knows a backslash before these three.
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, entity)
    for sign in "\\`*_{}[]|#":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\n", " ")


def _preamble(summary: Summary) -> str:
    plan = summary.plan
    data = "; ".join(
        f"{escape(one.name)}: {one.graphs} graphs, {one.vulnerable} vulnerable"
        for one in plan.data.values()
    )
    baseline = escape(" + ".join(plan.baseline) or "no feature")
    policy = f"Policy *{plan.policy.value}*; {arm_word(plan.shape)}: {baseline}; data: {data}."
    count = f"{summary.trials} trials were read; "
    fixed = f"a fixed design of {summary.fixed_words} runs a cell takes {summary.fixed_design}."
    return f"{policy}\n{count}{fixed}"


def _warnings(summary: Summary) -> list[str]:
    found = warnings_of(summary)
    if not found:
        return []
    return ["## Read with care", "\n".join(f"- {escape(text)}" for text in found)]


def _others(summary: Summary) -> list[str]:
    lines = other_lines(summary)
    return ["\n".join(f"- {escape(line)}" for line in lines)] if lines else []


def _shape(summary: Summary) -> list[str]:
    """The section that the shape adds; none for add-one."""
    found = [
        f"{one.planned.name}, {line}"
        for one in summary.features
        for line in shape_lines(summary, one)
    ]
    sentences = "\n".join(f"- {escape(line)}" for line in (*found, *uncombined_lines(summary)))
    match summary.plan.shape:
        case Shape.DROP_ONE:
            return ["## What is lost without each", sentences]
        case Shape.PAIRS:
            rows = table(interaction_rows(summary), INTERACTION_HEADERS)
            return ["## Interactions", READING, rows, sentences]
    return []


def _provenance(summary: Summary) -> str:
    lines = [f"- data {key}: {escape(one.source)}" for key, one in summary.plan.data.items()]
    lines += [
        f"- store {escape(one.folder)}: {escape(', '.join(one.hardware))}"
        for one in summary.plan.sources
    ]
    for machine in summary.machines:
        versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
        described = f"{machine.name}, {machine.cores} cores, {machine.system}; {versions}"
        lines.append(f"- {escape(machine.kind)}: {escape(described)}")
    lines += [f"- commit {commit}" for commit in summary.commits]
    return "\n".join(lines)
