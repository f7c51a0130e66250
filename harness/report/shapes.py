"""What the shape of a matrix adds to a report: losses without a feature, and interactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harness.matrix.shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.gates.cell import Cell
    from harness.gates.f1_gate import F1Result
    from harness.gates.interaction import Interaction
    from harness.report.summary import FeatureSummary, Summary

INTERACTION_HEADERS: Final = (
    "pair", "model", "data", "hardware", "seeds", "first alone", "second alone", "both",
    "interaction", "from", "to",
)  # fmt: skip
READING: Final = (
    "An interaction is what both give beyond what each gives alone, in points of F1, on the seeds "
    "that all four arms have. It is reported and judges nothing. Each interval holds the truth in "
    "95 % by itself: of twenty interactions that are not there, one looks as if it were."
)
_MISSING: Final = "-"


def arm_word(shape: Shape) -> str:
    """What the arm is called that all candidates have in common."""
    return "full arm" if shape is Shape.DROP_ONE else "baseline"


def run_words(shape: Shape) -> tuple[str, str]:
    """What the reference arm and the candidate arm are called at the head of a column."""
    return {
        Shape.ADD_ONE: ("base", "with"),
        Shape.DROP_ONE: ("without", "with"),
        Shape.PAIRS: ("base", "both"),
    }[shape]


def shape_lines(summary: Summary, one: FeatureSummary) -> list[str]:
    """What the shape says of a candidate, one sentence for each cell that was run."""
    if summary.plan.shape is Shape.DROP_ONE:
        return [f"{_where(summary, cell)}: {said}" for cell, said in _losses(one)]
    return [f"{_where(summary, cell)}: {found.sentence}" for cell, found in _interactions(one)]


def interaction_rows(summary: Summary) -> list[list[str]]:
    """One row a cell of a pair: ``INTERACTION_HEADERS``, in points."""
    rows = []
    for one in summary.features:
        for cell, found in _interactions(one):
            shown = found.to_json()
            values = ("first", "second", "both", "mean", "lower", "upper")
            rows.append(
                [
                    one.planned.name, cell.key.model, cell.key.data, cell.key.hardware,
                    str(found.n), *(_points(shown[name]) for name in values),
                ]
            )  # fmt: skip
    return rows


def uncombined_lines(summary: Summary) -> list[str]:
    """The pairs that cannot be, one sentence each."""
    return [one.sentence for one in summary.plan.uncombined]


def shape_json(summary: Summary, one: FeatureSummary) -> dict[str, Any]:
    """What ``verdict.json`` has of a candidate by the shape; empty lists where it is another."""
    drops = summary.plan.shape is Shape.DROP_ONE
    return {
        "parts": list(one.planned.parts),
        "interactions": [
            {**_place(cell), **found.to_json()} for cell, found in _interactions(one)
        ],
        "lost": [
            {**_place(cell), **_loss_json(cell), "sentence": said} for cell, said in _losses(one)
        ]
        if drops
        else [],
    }  # fmt: skip


def loss(result: F1Result, without: str) -> str:
    """What the F1 gate of a drop-one cell says is lost, in one sentence.

    Args:
        result: of the full arm against the arm that lacks the feature.
        without: ``without it`` or ``without them``.
    """
    said = result.decision
    if said.mean is None:
        return "no pair to judge yet"
    if result.identical:
        return f"{without} nothing changes, every prediction is the same"
    lower, upper = said.lower, said.upper
    word = "lost"
    if said.mean < 0:
        word = "won"
        lower, upper = (None if one is None else -one for one in (upper, lower))
    bounds = ["an unknown bound" if one is None else _points(one) for one in (lower, upper)]
    return (
        f"{without} {100 * abs(said.mean):.1f} points of F1 are {word}, "
        f"from {bounds[0]} to {bounds[1]}"
    )


def _losses(one: FeatureSummary) -> Iterator[tuple[Cell, str]]:
    without = one.planned.reference.removeprefix("all ")
    for cell in one.verdict.cells:
        if cell.f1 is not None:
            yield cell, loss(cell.f1, without)


def _interactions(one: FeatureSummary) -> Iterator[tuple[Cell, Interaction]]:
    for cell, found in zip(one.verdict.cells, one.interactions, strict=False):
        if found is not None:
            yield cell, found


def _loss_json(cell: Cell) -> dict[str, Any]:
    said = cell.f1.decision if cell.f1 is not None else None
    return {name: getattr(said, name, None) for name in ("n", "mean", "lower", "upper")}


def _place(cell: Cell) -> dict[str, str]:
    return {"model": cell.key.model, "data": cell.key.data, "hardware": cell.key.hardware}


def _where(summary: Summary, cell: Cell) -> str:
    """A cell's model, and what else tells it from the candidate's other cells."""
    parts = [cell.key.model]
    parts += [f"on {cell.key.data}"] if len(summary.plan.data) > 1 else []
    parts += [f"({cell.key.hardware})"] if len(summary.plan.hardware) > 1 else []
    return " ".join(parts)


def _points(value: Any) -> str:
    return _MISSING if value is None else f"{100 * value:+.1f}"
