"""The roadmap as Markdown: every item, where it is, its measured verdicts, its limitations."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.feature import FEATURES
from harness.gates.cell import COLLAPSE
from harness.gates.collapse import CollapseResult
from harness.gates.words import counted
from harness.matrix.shapes import Shape
from harness.report.cards import marked
from harness.report.markdown import escape, table
from harness.report.rows import CELL_HEADERS, MISSING, cell_row, said
from harness.report.shapes import INTERACTION_HEADERS, READING, interaction_rows, uncombined_lines
from harness.report.summary import those_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.feature import Feature
    from harness.gates.cell import Cell
    from harness.report.summary import FeatureSummary, Summary

_ALWAYS: Final = "in every run"
LOOP: Final = (
    ("gradient clipping", "harness.training.clipping", _ALWAYS),
    ("collapse detection", "harness.training.collapse", _ALWAYS),
    ("prediction distribution and threshold sweep", "harness.training.evaluate", _ALWAYS),
    ("metrics history", "harness.training.history", _ALWAYS),
    ("checkpoints", "harness.training.checkpoint", _ALWAYS),
    ("diagnostic reports", "harness.training.diagnostics", "in every run that collapses"),
    ("auto batch size", "harness.matrix.auto_size", "where it is asked for, in both arms"),
)
"""What both arms have, so that no ablation can tell what it is worth.

Each with the module that it lies in, and when it is at work.
"""
ADJUSTMENT: Final = ("adjustment where three weightings meet", "class_weights")
"""What a feature does beside others: its name and the feature's."""

_HEAD = """# The roadmap

Every item: where it is, what it was measured to be worth, and its limits. This page is made from
stored results by `ablate roadmap DIR...` and holds nothing that was typed in. A verdict holds for
the data, models, settings and machine that stand beside it. Gains are points of F1, of the pairs
that were needed."""
_LIMITS = re.compile(r"^ *Known limitations: ?(.*?)(?:\n\s*\n|\Z)", re.DOTALL | re.MULTILINE)


def to_roadmap(summaries: Sequence[Summary]) -> str:
    """The whole page.

    Args:
        summaries: one for each stored campaign; those of the shape *pairs* give the interactions.
    """
    single = [one for one in summaries if one.plan.shape is not Shape.PAIRS]
    paired = [one for one in summaries if one.plan.shape is Shape.PAIRS]
    data = list(dict.fromkeys(one.name for each in single for one in each.plan.data.values()))
    rows = [_row(name, kind, single, data) for name, kind in FEATURES]
    rows += [[item, _place(module), *[when] * len(data)] for item, module, when in LOOP]
    item, feature = ADJUSTMENT
    rows.append([item, _file(FEATURES.get(feature)), *[f"within {feature}"] * len(data)])
    parts = [
        _HEAD,
        table(rows, ("item", "where", *(f"on {name}" for name in data))),
        *(part for name, kind in FEATURES for part in _section(name, kind, single)),
        *(part for item, module, _ in LOOP for part in _part_of_the_loop(item, module)),
        *_pairs(paired),
        "## Where this comes from",
        "\n".join(f"- {line}" for one in summaries for line in _provenance(one)),
    ]
    return "\n\n".join(parts) + "\n"


def _row(
    name: str, kind: type[Feature], summaries: Sequence[Summary], data: Sequence[str]
) -> list[str]:
    words = []
    for one in data:
        judged = [
            "; ".join((f"{feature.planned.name}: {said(feature.word)}", *_gains(feature, one)))
            for summary in summaries
            for feature in those_of(name, summary.features)
            if any(cell.key.data == one for cell in feature.verdict.cells)
        ]
        words.append(". ".join(judged) or "not measured")
    return [name, _file(kind), *words]


def _gains(feature: FeatureSummary, data: str) -> Iterator[str]:
    """Each cell's gain in points, its time where that was needed, its collapses if any."""
    cells = [cell for cell in feature.verdict.cells if cell.key.data == data and _measured(cell)]
    for cell in cells:
        where = f"{cell.key.model} " if len(cells) > 1 else ""
        row = dict(zip(CELL_HEADERS[1:], cell_row(cell), strict=True))
        pairs = counted(0 if cell.f1 is None else cell.f1.decision.n, "pair")
        time = "" if row["time"] == MISSING else f", {row['time']} times the time"
        collapse = cell.gates.get(COLLAPSE)
        fallen = isinstance(collapse, CollapseResult) and bool(collapse.collapsed)
        collapses = f"; {row['collapses']} collapsed" if fallen else ""
        yield f"{where}{row['gain']} in {pairs}{time}{collapses}"


def _part_of_the_loop(item: str, module: str) -> Iterator[str]:
    text = importlib.import_module(module).__doc__ or ""
    yield f"## {item}"
    yield marked(" ".join(re.split(r"\n\s*\n", text, maxsplit=1)[0].split()))
    yield from _limitations(text)


def _section(name: str, kind: type[Feature], summaries: Sequence[Summary]) -> Iterator[str]:
    card = kind.card()
    yield f"## {name}"
    yield f"{marked(card.splitlines()[0])} It claims *{kind.claim.value}*."
    rows = [
        [feature.planned.name, *cell_row(cell)]
        for summary in summaries
        for feature in those_of(name, summary.features)
        for cell in feature.verdict.cells
        if _measured(cell)
    ]
    yield table(rows, CELL_HEADERS) if rows else "Not measured."
    reasons = [
        f"- {escape(feature.planned.name)}: {escape(feature.why)}"
        for summary in summaries
        for feature in those_of(name, summary.features)
    ]
    if reasons:
        yield "\n".join(reasons)
    yield from _limitations(card)


def _limitations(text: str) -> Iterator[str]:
    found = _LIMITS.search(text)
    if found is not None:
        yield f"Known limitations: {marked(' '.join(found[1].split()))}"


def _measured(cell: Cell) -> bool:
    return bool(cell.gates)


def _pairs(summaries: Sequence[Summary]) -> Iterator[str]:
    rows = [row for summary in summaries for row in interaction_rows(summary)]
    lines = [line for summary in summaries for line in uncombined_lines(summary)]
    if not rows and not lines:
        return
    yield "## Pairs"
    yield READING
    if rows:
        yield table(rows, INTERACTION_HEADERS)
    if lines:
        yield "\n".join(f"- {escape(line)}" for line in lines)


def _provenance(summary: Summary) -> Iterator[str]:
    plan = summary.plan
    arm = escape(" + ".join(plan.baseline) or "no feature")
    for one in plan.data.values():
        machines = ", ".join(machine.kind for machine in summary.machines) or MISSING
        commits = ", ".join(commit[:10] for commit in summary.commits) or MISSING
        models = escape(", ".join(plan.models))
        yield (
            f"{escape(one.name)}: {one.graphs} graphs, {one.vulnerable} vulnerable; {models}; "
            f"baseline {arm}; {plan.budget} pairs at most; {summary.trials} trials read; "
            f"{escape(machines)}; commit {commits}"
        )


def _file(kind: type[Feature]) -> str:
    """The feature's file, as people find it: below the folder that its package lies in."""
    return _below_package(Path(inspect.getfile(kind)), kind.__module__)


def _place(module: str) -> str:
    loaded = importlib.import_module(module)
    return _below_package(Path(str(loaded.__file__)), module)


def _below_package(file: Path, module: str) -> str:
    depth = module.count(".") + 1
    return "/".join(file.parts[-depth:])
