"""The report in a terminal: readable at 80 columns, plain where the output is no terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from harness.gates.words import Verdict
from harness.matrix.shapes import Shape
from harness.report.rows import cell_row, complexity_line, figure_headers, figure_rows, said
from harness.report.shapes import READING, arm_word, run_words, shape_lines, uncombined_lines

if TYPE_CHECKING:
    from rich.console import Console

    from harness.report.summary import FeatureSummary, Summary

STYLES = {
    Verdict.PASS: "bold green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_MEASURED: "dim",
}


def show(summary: Summary, console: Console) -> None:
    """Print verdicts, cells and references."""
    console.print(_cells(summary))
    _features(summary, console)
    console.print()
    if summary.figures:
        console.print(_worth(summary))
    for one in summary.figures:
        if one.warning:
            console.print(Text(f"warning: {one.warning}", style="yellow"))
    for note in summary.notes:
        console.print(Text(note, style="dim"))
    console.print(
        Text(
            f"{summary.trials} trials read; a fixed design of {summary.fixed_words} runs a cell "
            f"takes {summary.fixed_design}"
        )
    )
    console.print(Text(f"verdict: {said(summary.verdict)}", style=STYLES[summary.verdict]))


def _features(summary: Summary, console: Console) -> None:
    """What is said of each candidate, and of pairs that cannot be."""
    for one in summary.features:
        console.print(_verdict_line(one))
        for line in shape_lines(summary, one):
            console.print(Text(f"  {line}"))
        size = complexity_line(one)
        if size:
            console.print(Text(f"  {size}", style="dim"))
        if one.other is not None:
            console.print(Text(f"  {one.other.sentence}", style="dim"))
    for line in uncombined_lines(summary):
        console.print(Text(line, style="yellow"))
    if summary.plan.shape is Shape.PAIRS:
        console.print(Text(READING, style="dim"))


def _worth(summary: Summary) -> Table:
    title = f"What the {arm_word(summary.plan.shape)} is worth"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1))
    for header in figure_headers(summary.plan.shape):
        table.add_column(header)
    for row in figure_rows(summary.figures):
        table.add_row(*map(Text, row))
    return table


def _cells(summary: Summary) -> Table:
    several = len(summary.plan.data) > 1, len(summary.plan.hardware) > 1
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("feature", overflow="fold", max_width=20)
    table.add_column("model", overflow="fold", max_width=10)
    if several[0]:
        table.add_column("data", overflow="fold", max_width=14)
    if several[1]:
        table.add_column("hardware", overflow="fold", max_width=14)
    table.add_column("n", justify="right")
    runs = run_words(summary.plan.shape)
    for header in (*runs, "gain", "bounds", "coll.", "time", "verdict"):
        table.add_column(header, justify="right" if header != "verdict" else "left", no_wrap=True)
    for one in summary.features:
        for cell in one.verdict.cells:
            row = cell_row(cell)
            model, data, hardware, _, n, base, with_it, gain, low, high, _, bad, ratio, _ = row
            where = [text for text, wanted in zip((data, hardware), several, strict=True) if wanted]
            verdict = Text(_short(cell.verdict), style=STYLES[cell.verdict])
            table.add_row(
                *map(Text, (one.planned.name, model, *where, n, base, with_it, gain)),
                Text(f"{low} {high}"), Text(bad), Text(ratio), verdict,
            )  # fmt: skip
    return table


def _short(verdict: Verdict) -> str:
    short = {Verdict.INCONCLUSIVE: "open", Verdict.NOT_MEASURED: "not run"}
    return short.get(verdict, verdict.value)


def _verdict_line(one: FeatureSummary) -> Text:
    line = Text()
    line.append(f"{said(one.word)} ", style=STYLES[one.word])
    line.append(one.planned.name, style="bold")
    line.append(f" ({one.planned.claim}): {one.why}")
    return line
