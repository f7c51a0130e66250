"""``ablate data``: list, build, info, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.cli.progress import building

app = typer.Typer(
    help="Data sets: what sources there are, build one, look at it, check its files.",
    no_args_is_help=True,
)

Text_ = Annotated[str, typer.Argument(metavar="SRC", help="a selection or a path, as for --data")]
Root = Annotated[Path, typer.Option("--data-root", help="folder of packed data sets")]
_ROOT = Path(".ablation/data")


@app.command("list")
def list_sources(name: Annotated[str, typer.Argument(help="one, to read its card")] = "") -> None:
    """List the data sources, or print the card of one with its options."""
    from harness.graphs.sources import SOURCES  # noqa: PLC0415 - keep --help quick

    if name:
        source = SOURCES.get(name)
        typer.echo(f"{name}\n\n{source.card()}\n")
        for field, info in source.model_fields.items():
            typer.echo(f"  {name}[{field}={info.get_default()}]  {info.description}")
        return
    console = Console()
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    for header in ("source", "options", "what it reads"):
        table.add_column(header, overflow="fold")
    for key, source in SOURCES:
        card = source.card().partition("\n\n")[0]
        table.add_row(Text(key, style="bold"), Text(", ".join(source.model_fields)), Text(card))
    console.print(table)


@app.command()
def stored(data_root: Root = _ROOT) -> None:
    """List the data sets that are built."""
    from harness.graphs.catalog import stored as find  # noqa: PLC0415 - keep --help quick

    console = Console()
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    for header in ("folder", "graphs", "MiB", "source"):
        table.add_column(header, overflow="fold")
    for one in find(data_root):
        source = one.damage if one.info is None else one.info.source
        table.add_row(
            Text(str(one.folder)), str(one.graphs), f"{one.size / 2**20:.1f}", Text(source)
        )
    console.print(table)


@app.command()
def build(source: Text_, data_root: Root = _ROOT) -> None:
    """Build a data set, or find it built, and say what is in it."""
    info(source, data_root)


@app.command()
def info(source: Text_, data_root: Root = _ROOT) -> None:
    """Say what is in a data set: sizes, classes, what was skipped and why."""
    from harness.graphs.catalog import describe, load  # noqa: PLC0415

    with building(Console(stderr=True)) as progress:
        graphs = load(source, data_root, progress)
    for line in describe(graphs):
        typer.echo(line)


@app.command()
def check(source: Text_, data_root: Root = _ROOT) -> None:
    """Recompute a stored data set's hash and check every index in it."""
    from harness.graphs.catalog import check as verify  # noqa: PLC0415
    from harness.graphs.catalog import load  # noqa: PLC0415

    with building(Console(stderr=True)) as progress:
        graphs = load(source, data_root, progress)
    typer.echo(f"sound: {verify(graphs)}")
