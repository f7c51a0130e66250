"""``ablate run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from harness.cli.clusters import cluster_of
from harness.cli.flags import with_flags
from harness.cli.progress import building
from harness.cli.reports import show_summary
from harness.config import RunConfig, load_config
from harness.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.cluster.connect import Cluster
    from harness.errors import ExitCode
    from harness.matrix.ablation import Ablation
    from harness.sharing.exchange import Exchange
    from harness.sharing.objects import Objects

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file with any of these flags", show_default=False),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="print the verdict alone")]


Json = Annotated[
    bool, typer.Option("--json", help="print the report as JSON, and nothing else to stdout")
]


@with_flags(RunConfig.model_fields)
def run(
    flags: dict[str, Any],
    *,
    config: ConfigFile = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Judge features: train with and without each, in pairs, until every gate has answered.

    With --shape drop-one each feature of baseline and --features together is taken out in turn,
    and the report says what is lost without it. With --shape pairs every two features are trained
    apart and together, and the report adds their interaction.

    Exit codes: 0 PASS, 1 FAIL, 2 usage, 3 INCONCLUSIVE, 4 not measured. Stopped runs go on where
    they were when the same command is given again.

    Example: ablate run --data reveal_chrome/ --features amp,swa --models gcn,sage --seeds 10
    """
    settings = load_config(flags, config)
    raise typer.Exit(judge_and_show(settings, quiet=quiet, as_json=as_json))


def judge_and_show(
    settings: RunConfig,
    *,
    quiet: bool,
    as_json: bool = False,
    only: Collection[str] | None = None,
) -> ExitCode:
    """Run what is missing, write the report and show it.

    Args:
        settings: the question.
        quiet: whether the verdict alone is shown, and no progress.
        as_json: whether the report is shown as JSON.
        only: names of the candidates that are judged; None for all.

    Raises:
        HarnessError: if anything asked for is unknown, contradictory or unreadable.
        OSError: if the output folder cannot be written.
    """
    from harness.report.write import FILES, to_text, write_report  # noqa: PLC0415

    # What is wrong with it is said before data are built.
    objects = objects_of(settings.share)
    console = Console(stderr=True, quiet=quiet)
    with cluster_of(settings) as cluster:
        ablation = _prepare(settings, cluster, only, console)
        exchange = _run(ablation, settings, cluster, objects, console)
    with building(console) as progress:
        summary = write_report(ablation.judge, settings.out, progress)
    if exchange is not None:
        exchange.push_files(FILES)
    if as_json:
        typer.echo(to_text(ablation.judge, summary, Format.JSON), nl=False)
    else:
        show_summary(summary, quiet=quiet)
    written = ", ".join(str(settings.out / name) for name in FILES)
    console.print(f"report: {written}", markup=False, highlight=False, soft_wrap=True)
    return summary.exit_code


def _prepare(
    settings: RunConfig,
    cluster: Cluster | None,
    only: Collection[str] | None,
    console: Console,
) -> Ablation:
    """Lay the question out, and say what it leaves out or chooses."""
    from harness.matrix.ablation import prepare  # noqa: PLC0415 - loads torch: keep --help quick
    from harness.matrix.scope import prepare_part  # noqa: PLC0415

    if cluster is not None:
        from harness.cluster.run import with_kinds  # noqa: PLC0415

        settings = with_kinds(settings, cluster)
    with building(console) as progress:
        if only is None:
            ablation = prepare(settings, progress)
        else:
            ablation = prepare_part(settings, only, progress)
    say_left_out(settings.features, console)
    for pair in ablation.plan.uncombined:
        console.print(pair.sentence, markup=False, highlight=False, soft_wrap=True)
    for line in () if ablation.chosen is None else ablation.chosen.batch_size.lines():
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return ablation


def objects_of(share: str) -> Objects | None:
    """The objects below the URL of --share; None where it was not given.

    Raises:
        UsageError: if it is no URL, or of an unknown kind.
    """
    if not share:
        return None
    from harness.sharing.objects import Objects  # noqa: PLC0415

    return Objects(share)


def _run(
    ablation: Ablation,
    settings: RunConfig,
    cluster: Cluster | None,
    objects: Objects | None,
    console: Console,
) -> Exchange | None:
    """Run what is missing: here or on a cluster, alone or with other machines; shown as it goes."""
    from harness.matrix.events import Said  # noqa: PLC0415
    from harness.report.live import LiveView, PlainView, Watch  # noqa: PLC0415

    jobs = ablation.jobs if cluster is None else cluster.capacity(settings.jobs)
    watch = Watch(ablation.plan, jobs)
    view = LiveView(watch, console) if console.is_terminal else PlainView(watch, console)
    executor = None
    if cluster is not None:
        from harness.cluster.run import on_cluster  # noqa: PLC0415

        executor = on_cluster(ablation, cluster, settings.jobs, lambda text: view(Said(text)))
    with view:
        if objects is None:
            ablation.run(view, executor)
            return None
        from harness.sharing.run import run_shared  # noqa: PLC0415

        kind = "+".join(ablation.plan.hardware) if cluster else ablation.hardware.kind
        return run_shared(ablation, objects, kind, view, executor)


def say_left_out(features: str, console: Console) -> None:
    """Say which features ``all`` leaves out, one line each."""
    from harness.matrix.shapes import left_out_of  # noqa: PLC0415

    for name in left_out_of(features):
        console.print(
            f"{name} is no part of all, since each run of it takes several trainings or processes; "
            f"to judge it, name it: --features all,{name}",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
