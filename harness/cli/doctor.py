"""``ablate doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.places import Stored, folder_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.doctor.examine import Case

_MANY = 1_000_000_000


def doctor(
    store: Stored,
    graphs: Annotated[
        int,
        typer.Option(metavar="N", min=0, max=_MANY, help="graphs to extrapolate to; 0: as many"),
    ] = 0,
    epochs: Annotated[
        int, typer.Option(metavar="N", min=1, max=1_000_000, help="epochs to extrapolate to")
    ] = 40,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON data")] = False,
) -> None:
    """Say what ails the baseline, from its measured runs, and which features are worth trying.

    Five questions for each model and data set: is F1 above 0.80; does it fail systematically, by
    size of the graph, language or CWE; how long does a run take; does it fit into memory; does it
    collapse, and what do the histories show. Trains nothing.

    Example: ablate doctor .ablation/results --graphs 200000 --epochs 40
    """
    import json  # noqa: PLC0415

    from harness.doctor.examine import examine  # noqa: PLC0415 - loads torch
    from harness.matrix.stored import open_stored  # noqa: PLC0415

    cases = examine(open_stored(folder_of(store)), graphs, epochs)
    if as_json:
        typer.echo(json.dumps([case.to_json() for case in cases], indent=1))
        return
    for case in cases:
        for line in _lines(case):
            typer.echo(line)


def _lines(case: Case) -> Iterator[str]:
    yield f"{case.model} on {case.data}"
    for number, answer in enumerate(case.answers, start=1):
        yield f"{number}. {answer.question} {answer.answer}"
        yield from (f"   {line}" for line in answer.lines)
    yield "Worth trying:" if case.advice else "Nothing to mend was found."
    yield from (f"   - {one.sentence}" for one in case.advice)
    yield ""
