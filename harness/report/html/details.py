"""What the page says of each candidate: for every cell that was run, its gates and its charts."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from harness.gates.words import Verdict, counted
from harness.report.html import charts
from harness.report.html.arms import BINS, Arm, Arms
from harness.report.html.charts import Chart, Table
from harness.report.rows import MISSING, points, said
from harness.report.shapes import shape_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from harness.gates.cell import CellKey
    from harness.gates.f1_gate import F1Result
    from harness.matrix.planned import PlannedCell
    from harness.matrix.replay import CellState
    from harness.report.summary import FeatureSummary, Summary

DRAWN: Final = 200
"""Cells whose charts a page holds."""

MOST_ROWS: Final = 10
_JOINED: Final = 2  # bins of the chart in one row of the table
_LOOK_HEADERS: Final = ("pairs", "mean", "at least", "at most")


@dataclass(frozen=True)
class CellView:
    """A cell that was run.

    Attributes:
        number: of the cell within its candidate.
        name: model, data and hardware.
        word: its verdict.
        gates: a sentence for each gate.
        charts: of it.
        notes: what must be read with them.
    """

    number: int
    name: str
    word: str
    gates: tuple[str, ...]
    charts: tuple[Chart, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class CandidateView:
    """A candidate.

    Attributes:
        name: selection.
        claim: of its feature.
        reference: what it was held against.
        word: its verdict.
        why: the reasons in one sentence.
        other: what the other policy would say.
        rules: what was asked of it.
        lines: what the shape of the matrix adds.
        cells: that were run.
    """

    name: str
    claim: str
    reference: str
    word: str
    why: str
    other: str
    rules: str
    lines: tuple[str, ...]
    cells: tuple[CellView, ...]


def drawn_cells(summary: Summary, most: int = DRAWN) -> frozenset[tuple[str, int]]:
    """Cells whose charts are drawn, by candidate and number: all, or those that say most.

    Cells that pass or are open go first, then those that fail, in the order of the plan.

    Args:
        summary: the verdicts.
        most: cells at most; each costs some hundredths of a second and 40 kB.
    """
    run = [
        (state.cell.verdict is Verdict.FAIL, (one.planned.name, number))
        for one in summary.features
        for number, state in enumerate(one.progress.states, start=1)
        if state.cell.verdict is not Verdict.NOT_MEASURED
    ]
    return frozenset(cell for _, cell in sorted(run, key=itemgetter(0))[:most])


def candidate_view(
    arms: Arms, summary: Summary, one: FeatureSummary, drawn: Collection[tuple[str, int]]
) -> CandidateView:
    """Gather what the page shows of a candidate.

    Args:
        arms: of the store that was summarised.
        summary: the verdicts.
        one: the candidate's part of them.
        drawn: from ``drawn_cells``.

    Raises:
        StoreError: if a stored result is damaged.
    """
    pairs = zip(one.planned.cells, one.progress.states, strict=True)
    return CandidateView(
        name=one.planned.name,
        claim=one.planned.claim,
        reference=one.planned.reference,
        word=said(one.word),
        why=one.why,
        other="" if one.other is None else one.other.sentence,
        rules=one.verdict.rules.sentence,
        lines=tuple(shape_lines(summary, one)),
        cells=tuple(
            _cell_view(arms, one, number, planned, state, (one.planned.name, number) in drawn)
            for number, (planned, state) in enumerate(pairs, start=1)
            if state.cell.verdict is not Verdict.NOT_MEASURED
        ),
    )


def place(key: CellKey) -> str:
    """A cell's name."""
    return f"{key.model} on {key.data}, {key.hardware}"


def _cell_view(
    known: Arms, one: FeatureSummary, number: int, planned: PlannedCell, state: CellState,
    drawn: bool,  # noqa: FBT001 - a plain fact
) -> CellView:  # fmt: skip
    cell = state.cell
    arms = known.of(one.planned, planned, state.pairs) if state.pairs and drawn else ()
    found = [*_course(cell.f1), *_of_arms(arms)] if drawn else []
    unread = sum(arm.unread for arm in arms)
    notes = list(_failures(arms))
    if unread:
        notes.append(f"{counted(unread, 'metrics history')} could not be read and was left out")
    return CellView(
        number=number,
        name=place(cell.key),
        word=said(cell.verdict),
        gates=tuple(f"{name}: {gate.sentence}" for name, gate in cell.gates.items()),
        charts=tuple(found),
        notes=tuple(notes),
    )


def _course(result: F1Result | None) -> Iterator[Chart]:
    if result is None or not result.decision.n:
        return
    looks = result.path
    rows = tuple(
        (str(one.n), points(one.mean), points(one.lower), points(one.upper)) for one in looks
    )
    yield charts.course(
        [
            (one.n, *(None if value is None else 100 * value
                      for value in (one.mean, one.lower, one.upper)))
            for one in looks
        ],
        100 * result.decision.margin,
        Table("F1 difference and its bounds after each pair, in points", _LOOK_HEADERS, rows),
    )  # fmt: skip


def _of_arms(arms: Sequence[Arm]) -> Iterator[Chart]:
    if any(arm.f1.mean for arm in arms):
        yield charts.curves([(arm.name, arm.f1, arm.loss) for arm in arms], _curve_table(arms))
    if any(sum(arm.vulnerable) for arm in arms):
        percent = [(arm.name, _percent(arm.safe), _percent(arm.vulnerable)) for arm in arms]
        yield charts.predictions(percent, _bin_table(arms))
    if any(arm.sizes for arm in arms):
        sizes = [
            (arm.name, [(part.name, part.confusion.f1) for part, _ in arm.sizes]) for arm in arms
        ]
        longest = max((found for _, found in sizes), key=len)
        ticks = [name.removeprefix("graphs of ").removesuffix(" nodes") for name, _ in longest]
        ticks = [tick.replace(" to ", "-") for tick in ticks]
        yield charts.sizes(sizes, ticks, _size_table(arms))


def _curve_table(arms: Sequence[Arm]) -> Table:
    epochs = max(len(arm.f1.mean) for arm in arms)
    # The last epoch always stands there: that is where the curve ends.
    shown = sorted({*range(0, epochs, -(-epochs // MOST_ROWS)), epochs - 1})
    headers = [f"{what}, {arm.name}" for arm in arms for what in ("F1", "least", "most", "loss")]
    rows = [
        (
            str(at + 1),
            *(
                _three(series[at] if at < len(series) else None)
                for arm in arms
                for series in (arm.f1.mean, arm.f1.low, arm.f1.high, arm.loss.mean)
            ),
        )
        for at in shown
    ]
    caption = "F1 on select and training loss by epoch"
    return Table(caption, ("epoch", *headers), tuple(rows))


def _bin_table(arms: Sequence[Arm]) -> Table:
    headers = [f"{what}, {arm.name}" for arm in arms for what in ("% of safe", "% of vulnerable")]
    rows = [
        (
            f"{at / BINS:.1f} to {(at + _JOINED) / BINS:.1f}",
            *(
                f"{100 * sum(shares[at : at + _JOINED]):.1f}"
                for arm in arms
                for shares in (arm.safe, arm.vulnerable)
            ),
        )
        for at in range(0, BINS, _JOINED)
    ]
    caption = "Gate graphs by predicted probability"
    return Table(caption, ("probability", *headers), tuple(rows))


def _size_table(arms: Sequence[Arm]) -> Table:
    known = [arm for arm in arms if arm.sizes]
    headers = [
        f"{what}, {arm.name}" for arm in known for what in ("F1", "recall", "predicted vulnerable")
    ]
    rows = []
    for parts in zip(*(arm.sizes for arm in known), strict=False):
        first = parts[0][0]
        rows.append(
            (
                first.name,
                str(first.graphs),
                str(first.positives),
                f"{first.share:.1%}",
                *(
                    text
                    for part, _ in parts
                    for text in (
                        f"{part.confusion.f1:.3f}",
                        f"{part.confusion.recall:.3f}",
                        f"{part.predicted:.1%}",
                    )
                ),
            )
        )
    fixed = ("graphs", "different", "vulnerable", "are vulnerable")
    return Table("Predictions on gate by graph size", (*fixed, *headers), tuple(rows))


def _failures(arms: Sequence[Arm]) -> Iterator[str]:
    for arm in arms:
        for part, rest in arm.sizes:
            failure = part.failure(rest)
            if failure is not None:
                yield f"{arm.name}: {failure}"


def _percent(shares: Sequence[float]) -> list[float]:
    return [100 * share for share in shares]


def _three(value: float | None) -> str:
    return MISSING if value is None else f"{value:.3f}"
