"""``ablate merge``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from harness.cli.places import AllStored, copies_of
from harness.cli.progress import building
from harness.config import RunConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.matrix.merge import Merged

_DATA_ROOT = RunConfig.model_fields["data_root"]


def merge(
    stores: AllStored,
    out: Annotated[Path, typer.Option(help="folder of the merged store", show_default=False)],
    data_root: Annotated[Path, typer.Option(help=_DATA_ROOT.description)] = _DATA_ROOT.default,
) -> None:
    """Join the stores of several machines that were asked the same question.

    Give every machine the same command with --hardware naming all kinds, merge what they wrote,
    and report on it: ablate report DIR. Stores of other data, engine, features or settings are
    refused with the difference. Every key and digest is computed anew. Merging again, or in
    another order, gives the same store.

    Example: ablate merge results-t4 results-a100 --out results-all
    """
    from harness.matrix.merge import merge as join  # noqa: PLC0415 - takes seconds

    folders = [folder for text in stores for folder in copies_of(text)]
    with building(Console(stderr=True)) as progress:
        merged = join(folders, out, data_root, progress)
    for line in _said(merged, out):
        typer.echo(line)


def _said(merged: Merged, out: Path) -> Iterator[str]:
    yield f"{merged.trials} trials in {out}, {merged.added} of them new"
    yield f"timed blocks of {merged.blocks} cells"
    if merged.twice:
        yield f"{merged.twice} trials were run in several stores, with one outcome"
    if merged.differing:
        yield (
            f"{len(merged.differing)} trials were run in several stores with different outcomes, "
            f"such as {merged.differing[0]}: the one with the smaller digest is kept"
        )
    if merged.left:
        yield f"{merged.left} trials of other plans were left where they are"
    for source in merged.plan.sources:
        yield f"from {source.folder}: {', '.join(source.hardware)}"
    if merged.foreign:
        yield (
            f"not the code of this machine: {', '.join(merged.foreign)}; what the stores say of "
            "it cannot be checked here"
        )
    if merged.missing:
        yield f"not run on: {', '.join(merged.missing)}"
    yield f"next: ablate report {out}"
