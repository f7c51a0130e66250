"""``ablate report`` and ``ablate roadmap``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from harness.cli.places import AllStored, Stored, folder_of
from harness.cli.progress import building
from harness.cli.uncollected import uncollected
from harness.report.formats import Format, Per

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.summary import Summary


def report(
    store: Stored,
    form: Annotated[Format, typer.Option("--format", help=", ".join(Format))] = Format.CONSOLE,
    output: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="write it there instead", show_default=False),
    ] = None,
    per: Annotated[Per, typer.Option(help="a row of dataframe: trial or epoch")] = Per.TRIAL,
) -> None:
    """Show what is stored, judged anew; trains nothing.

    html is one page that opens offline, junit has a case for each gate of each cell. dataframe is
    CSV for pandas; in Python, harness.load(DIR) gives the frame. tensorboard writes a folder with
    a run for each trial, of which the HParams view makes a table.

    Exit codes are those of ablate run; of dataframe and tensorboard, which judge nothing, 0.

    Example: ablate report .ablation/results --format junit --output ablation.xml
    """
    folder = folder_of(store)
    if form in (Format.DATAFRAME, Format.TENSORBOARD):
        _export(folder, form, output, per)
        return
    raise typer.Exit(_judged(folder, form, output))


@uncollected()
def _judged(folder: Path, form: Format, output: Path | None) -> int:
    """Show the verdicts of a store; gives the exit code. What was read is freed on return."""
    from harness.files import write_whole  # noqa: PLC0415
    from harness.matrix.stored import open_stored  # noqa: PLC0415
    from harness.report.summary import summarise  # noqa: PLC0415
    from harness.report.write import to_text  # noqa: PLC0415

    judge = open_stored(folder)
    with building(Console(stderr=True)) as progress:
        summary = summarise(judge, progress)
    if output is not None:
        write_whole(output, to_text(judge, summary, form).encode())
    elif form is Format.CONSOLE:
        show_summary(summary, quiet=False)
    else:
        typer.echo(to_text(judge, summary, form), nl=False)
    return summary.exit_code


def _export(folder: Path, form: Format, output: Path | None, per: Per) -> None:
    """Give what is stored to those who go on with it."""
    from harness.errors import UsageError  # noqa: PLC0415
    from harness.files import write_whole  # noqa: PLC0415

    if form is Format.TENSORBOARD:
        from harness.report.hparams import write_hparams  # noqa: PLC0415 - loads torch

        if output is None:
            raise UsageError(
                "tensorboard is a folder, not text",
                where="--format", mend="name a new folder: --output LOGDIR",
            )  # fmt: skip
        write_hparams(folder, output)
        typer.echo(f"look at it: tensorboard --logdir {output}", err=True)
        return
    from harness.report.frames import load  # noqa: PLC0415

    text = load(folder, per).to_csv(index=False)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_whole(output, text.encode())


def roadmap(
    stores: AllStored,
) -> None:
    """Print the roadmap as Markdown: every item with the verdicts that are stored.

    Example: ablate roadmap .ablation/results .ablation/reveal > docs/ROADMAP.md
    """
    typer.echo(_as_roadmap([folder_of(store) for store in stores]), nl=False)


@uncollected()
def _as_roadmap(folders: Sequence[Path]) -> str:
    from harness.matrix.stored import open_stored  # noqa: PLC0415
    from harness.report.roadmap import to_roadmap  # noqa: PLC0415
    from harness.report.summary import summarise  # noqa: PLC0415

    with building(Console(stderr=True)) as progress:
        return to_roadmap([summarise(open_stored(folder), progress) for folder in folders])


def show_summary(summary: Summary, *, quiet: bool) -> None:
    """Print a report to a person: to a terminal as wide as it is, else 120 columns."""
    from harness.report.console import show  # noqa: PLC0415
    from harness.report.rows import said  # noqa: PLC0415

    if quiet:
        typer.echo(said(summary.verdict))
    else:
        console = Console()
        show(summary, console if console.is_terminal else Console(width=max(console.width, 120)))
