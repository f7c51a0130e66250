"""``ablate run`` and ``ablate report``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from harness.cli.flags import with_flags
from harness.cli.progress import building
from harness.config import RunConfig, load_config

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.errors import ExitCode

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file with any of these flags", show_default=False),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="print the verdict alone")]


class Format(StrEnum):
    """Formats of a report."""

    CONSOLE = "console"
    MARKDOWN = "markdown"
    JSON = "json"


@with_flags(RunConfig.model_fields)
def run(flags: dict[str, Any], *, config: ConfigFile = None, quiet: Quiet = False) -> None:
    """Judge features: train with and without each, in pairs, until every gate has answered.

    With --shape drop-one each feature of baseline and --features together is taken out in turn,
    and the report says what is lost without it. With --shape pairs every two features are trained
    apart and together, and the report adds their interaction.

    Exit codes: 0 PASS, 1 FAIL, 2 usage, 3 INCONCLUSIVE, 4 not measured. Stopped runs go on where
    they were when the same command is given again.

    Example: ablate run --data reveal_chrome/ --features amp,swa --models gcn,sage --seeds 10
    """
    raise typer.Exit(judge_and_show(load_config(flags, config), quiet=quiet))


def judge_and_show(
    settings: RunConfig, *, quiet: bool, only: Collection[str] | None = None
) -> ExitCode:
    """Run what is missing, write the report and show it.

    Args:
        settings: the question.
        quiet: whether the verdict alone is shown.
        only: names of the candidates that are judged; None for all.

    Raises:
        HarnessError: if anything asked for is unknown, contradictory or unreadable.
        OSError: if the output folder cannot be written.
    """
    from harness.matrix.ablation import prepare  # noqa: PLC0415 - loads torch: keep --help quick
    from harness.matrix.scope import prepare_part  # noqa: PLC0415
    from harness.matrix.shapes import left_out_of  # noqa: PLC0415
    from harness.report.live import LiveView, PlainView, Watch  # noqa: PLC0415

    console = Console(stderr=True, quiet=quiet)
    with building(console) as progress:
        if only is None:
            ablation = prepare(settings, progress)
        else:
            ablation = prepare_part(settings, only, progress)
    for name in left_out_of(settings.features):
        console.print(
            f"{name} is no part of all, since it trains several times in each run; to judge it, "
            f"name it: --features all,{name}",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    for pair in ablation.plan.uncombined:
        console.print(pair.sentence, markup=False, highlight=False, soft_wrap=True)
    for line in () if ablation.chosen is None else ablation.chosen.batch_size.lines():
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    watch = Watch(ablation.plan, ablation.jobs)
    view = LiveView(watch, console) if console.is_terminal else PlainView(watch, console)
    with view:
        ablation.run(view)
    from harness.report.write import write_report  # noqa: PLC0415

    summary = write_report(ablation.judge, settings.out)
    _show(summary, quiet=quiet)
    console.print(f"report: {settings.out / 'report.md'}, {settings.out / 'verdict.json'}")
    return summary.exit_code


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder of --out")],
    form: Annotated[
        Format, typer.Option("--format", help="console, markdown or json")
    ] = Format.CONSOLE,
) -> None:
    """Show what is stored, judged anew; trains nothing.

    Exit codes are those of ablate run.
    """
    import json  # noqa: PLC0415

    from harness.matrix.stored import open_stored  # noqa: PLC0415
    from harness.report.markdown import to_markdown  # noqa: PLC0415
    from harness.report.summary import summarise  # noqa: PLC0415

    summary = summarise(open_stored(folder))
    match form:
        case Format.CONSOLE:
            _show(summary, quiet=False)
        case Format.MARKDOWN:
            typer.echo(to_markdown(summary), nl=False)
        case Format.JSON:
            typer.echo(json.dumps(summary.to_json(), indent=1))
    raise typer.Exit(summary.exit_code)


def _show(summary: Any, *, quiet: bool) -> None:
    from harness.report.console import show  # noqa: PLC0415
    from harness.report.rows import said  # noqa: PLC0415

    if quiet:
        typer.echo(said(summary.verdict))
    else:
        console = Console()
        show(summary, console if console.is_terminal else Console(width=max(console.width, 120)))
