"""``python -m benchmarks``: ratios, phases, budgets, scale, concurrency, schedule, campaign."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
import typer

from benchmarks import cells
from benchmarks.arms import ARMS, ArmProcess, EngineTraining
from benchmarks.campaign import show_campaign
from benchmarks.cells import Cell, Precision, part_of
from benchmarks.engine import show_budgets, show_concurrency, show_scale, stored
from benchmarks.phases import operators, phase_table, phases_of
from benchmarks.ratios import ENGINE, Row, measure, table, to_json
from benchmarks.schedule import show_schedule
from harness.errors import HarnessError
from harness.files import write_json
from harness.graphs.catalog import load
from harness.hardware import describe
from harness.matrix.worker import prepare
from harness.training.configuration import git_commit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.graphs.dataset import PackedGraphs

app = typer.Typer(
    help="The engine's speed, against PyG alone and phase by phase, and how it scales."
)
app.command("budgets")(show_budgets)
app.command("scale")(show_scale)
app.command("concurrency")(show_concurrency)
app.command("schedule")(show_schedule)
app.command("campaign")(show_campaign)

Models = Annotated[str, typer.Option(help="names of built-in models, joined by commas")]
Hidden = Annotated[str, typer.Option(help="widths, joined by commas")]
Precisions = Annotated[str, typer.Option("--precision", help="fp32, bf16 or fp32,bf16")]
Data = Annotated[str, typer.Option(help="a data set, as for ablate run --data")]
DataRoot = Annotated[Path, typer.Option(help="folder of packed data sets")]
Graphs = Annotated[int, typer.Option(min=10, help="graphs to take; 4/5 of them are trained on")]
_ROOT = Path(".ablation/data")


@app.command("ratios")
def show_ratios(  # noqa: PLR0913 - an option each
    *,
    models: Models = "gcn,sage,gin,gat",
    hidden: Hidden = "128,256",
    precision: Precisions = "fp32,bf16",
    arms: Annotated[str, typer.Option(help=f"{ENGINE} and some of: {', '.join(ARMS)}")] = (
        "engine,r1,r2"
    ),
    repeats: Annotated[int, typer.Option(min=1, help="epochs of each arm that count")] = 5,
    graphs: Graphs = 2000,
    data: Data = "inverted_guard",
    data_root: DataRoot = _ROOT,
    out: Annotated[Path, typer.Option(help="folder of the JSON")] = Path(".benchmarks/ratios"),
) -> None:
    """Train by turns with the engine and with PyG: how many times as fast is it."""
    names = arms.split(",")
    wanted = _cells(models, hidden, precision)
    found = load(data, data_root)
    load_before = os.getloadavg()
    rows: list[Row] = []
    with ExitStack() as stack:
        folder = stored(found, stack)
        running = {name: stack.enter_context(ArmProcess(name, folder, graphs)) for name in names}
        for cell in wanted:
            rows.append(measure(cell, running, repeats, len(part_of(found, graphs).train)))
            typer.echo(f"{table(rows[-1:]).splitlines()[-1]}", err=True)
        started = {name: {**ARMS[name].describe(), **arm.told} for name, arm in running.items()}
    about = {
        **_about(found, graphs),
        "load": {"before": load_before, "after": os.getloadavg()},
        "arms": started,
    }
    path = out / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    write_json(path, to_json(rows, about))
    typer.echo(table(rows))
    typer.echo(
        "\nTraining graphs per CPU second of an epoch with its evaluation, one thread, medians; "
        f"ratios within each of {repeats} interleaved repeats: median (least-most).\n"
        + "".join(f"{name}: {ARMS[name].title}\n" for name in names)
        + f"{len(rows)} cells on {describe().cpu}; all repeats: {path}"
    )


@app.command("phases")
def show_phases(  # noqa: PLR0913 - an option each
    *,
    models: Models = "gcn,sage,gin,gat",
    hidden: Hidden = "128",
    precision: Precisions = "fp32",
    epochs: Annotated[int, typer.Option(min=1, help="epochs to take the mean of")] = 3,
    graphs: Graphs = 2000,
    by_operator: Annotated[
        int, typer.Option("--operators", min=0, help="show as many of torch's operators as well")
    ] = 0,
    data: Data = "inverted_guard",
    data_root: DataRoot = _ROOT,
) -> None:
    """Say where the time of the engine's epochs goes."""
    prepare((), threads=1)
    found = load(data, data_root)
    split = part_of(found, graphs)
    shown: dict[str, Mapping[str, float]] = {}
    for cell in _cells(models, hidden, precision):
        training = EngineTraining(found, split, cell)
        shown[str(cell)] = phases_of(training.session, epochs)
        if by_operator:
            typer.echo(f"{cell}\n{operators(training.session, by_operator)}")
    typer.echo(phase_table(shown, -(-len(split.train) // cells.BATCH_SIZE)))
    typer.echo(
        "\nCPU milliseconds for each training step, and the share of the epoch; evaluation is of "
        "1 graph for 4 that are trained on."
    )


def _cells(models: str, hidden: str, precision: str) -> Sequence[Cell]:
    chosen = product(precision.split(","), hidden.split(","), models.split(","))
    return [Cell(model, int(width), Precision(low)) for low, width, model in chosen]


def _about(graphs: PackedGraphs, count: int) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git_commit(),
        "hardware": describe().model_dump(),
        "torch": torch.__config__.show().splitlines(),
        "data": {"source": graphs.info.source, "content": graphs.content, "graphs": count},
        "training": {
            "layers": cells.LAYERS,
            "dropout": cells.DROPOUT,
            "batch_size": cells.BATCH_SIZE,
            "clip_norm": cells.CLIP_NORM,
        },
    }


if __name__ == "__main__":
    try:
        app(standalone_mode=True)
    except HarnessError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(2) from error
