"""The commands on how training scales: node budgets, large data sets, trials at once."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks import budgets, concurrency, scale
from benchmarks.replicate import replicate
from harness.graphs.catalog import load
from harness.graphs.dataset import save
from harness.hardware import available_cores, describe
from harness.settings import TrainingSettings

if TYPE_CHECKING:
    from harness.graphs.dataset import PackedGraphs

Model = Annotated[str, typer.Option(help="a model with its values")]
Data = Annotated[str, typer.Option(help="a data set, as for ablate run --data")]
DataRoot = Annotated[Path, typer.Option(help="folder of packed data sets")]
Repeats = Annotated[int, typer.Option(min=1, help="repeats, by turns")]
ROOT = Path(".ablation/data")


def show_budgets(
    *,
    model: Model = "sage[hidden=128]",
    graphs: Annotated[str, typer.Option(help="batch sizes, by commas")] = "64",
    nodes: Annotated[str, typer.Option(help="node budgets, by commas")] = "4096,8192,16384",
    repeats: Repeats = 3,
    data: Data = "inverted_guard",
    data_root: DataRoot = ROOT,
) -> None:
    """Compare batches of so many nodes with batches of so many graphs: time, memory."""
    ways = {f"{size} graphs": TrainingSettings(batch_size=int(size)) for size in graphs.split(",")}
    ways |= {
        f"{int(most):,} nodes": TrainingSettings(batch_size=1_000_000, batch_nodes=int(most))
        for most in nodes.split(",")
    }
    with ExitStack() as stack:
        folder = stored(load(data, data_root), stack)
        seen: dict[str, list[budgets.Visit]] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, settings in ways.items():
                seen[name].append(budgets.in_own_process(folder, model, settings))
                typer.echo(f"{name}: {seen[name][-1]}", err=True)
    typer.echo(budgets.budget_table(seen))
    typer.echo(
        f"\n{model} on {data}: an epoch with its evaluation, one thread of {describe().cpu}; "
        f"medians and ends of {repeats} new processes by turns. Memory is what the process held "
        f"at most, beyond its peak before training. {_load()}"
    )


def show_scale(
    *,
    sizes: Annotated[str, typer.Option(help="graphs, by commas")] = "100000,1000000",
    model: Model = "sage[hidden=16,layers=1]",
    data: Data = "inverted_guard",
    data_root: DataRoot = ROOT,
    scratch: Annotated[
        Path | None,
        typer.Option(help="where the large sets go, 1.5 KB a graph; removed at the end"),
    ] = None,
) -> None:
    """Train an epoch on a data set repeated to so many graphs: time and memory by size."""
    base = load(data, data_root)
    found = []
    for size in map(int, sizes.split(",")):
        with tempfile.TemporaryDirectory(prefix="gnn-ablation-scale-", dir=scratch) as folder:
            large = replicate(base, size, Path(folder) / "data")
            found.append(scale.in_own_process(Path(folder) / "data", model, TrainingSettings()))
            del large
        typer.echo(f"{found[-1]}", err=True)
    typer.echo(scale.scale_table(found))
    typer.echo(
        f"\n{model} on {data}, repeated: one epoch with its evaluation, batches of "
        f"{TrainingSettings().batch_size}, one thread of {describe().cpu}. Memory is the process's "
        f"own (RssAnon), sampled; pages of mapped files are cache. {_load()}"
    )


def show_concurrency(
    *,
    jobs: Annotated[str, typer.Option(help="trials at once, by commas, the first to gain on")] = (
        "1,2"
    ),
    trials: Annotated[int, typer.Option(min=1, help="trials of a round")] = 6,
    model: Model = "sage[hidden=64]",
    repeats: Repeats = 3,
    data: Data = "inverted_guard",
    data_root: DataRoot = ROOT,
) -> None:
    """Run trials one after the other and several at once: throughput."""
    graphs = load(data, data_root)
    with ExitStack() as stack:
        folder = stored(graphs, stack)
        found: dict[int, list[concurrency.Round]] = {int(each): [] for each in jobs.split(",")}
        for _ in range(repeats):
            for each, rounds in found.items():
                rounds.append(concurrency.run_round(graphs, folder, model, each, trials))
                typer.echo(f"{each} at once: {rounds[-1]}", err=True)
    typer.echo(concurrency.concurrency_table(found))
    typer.echo(
        f"\nTrials of {model} on {data}, 3 epochs, one thread each, on {available_cores()} cores "
        f"of {describe().cpu}; medians and ends of {repeats} rounds by turns; load is that of the "
        "whole machine, others' processes included."
    )


def _load() -> str:
    return f"Load of the machine in the end: {os.getloadavg()[0]:.1f}."


def stored(graphs: PackedGraphs, stack: ExitStack) -> Path:
    """Where other processes can open the data; a set in memory is stored as long as they live.

    A folder of the set's own would do as well, but it is not there for sets that are not cached.
    """
    if graphs.folder is not None:
        return graphs.folder.resolve()
    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="gnn-ablation-benchmark-"))
    save(graphs, Path(scratch) / "data")
    return Path(scratch) / "data"
