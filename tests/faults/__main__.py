"""``python -m tests.faults``: break campaigns in every way, and say what came of it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harness.cli.progress import counting
from harness.files import write_json
from tests.faults.bench import Bench
from tests.faults.drivers import Drivers
from tests.faults.outline import inject
from tests.faults.table import chosen, to_json, to_text

_WRONG = 1


def bench(
    kills: Annotated[int, typer.Option(min=0, help="kills in all, of trials and drivers")] = 200,
    seed: Annotated[int, typer.Option(help="of the points at which faults are injected")] = 0,
    only: Annotated[str, typer.Option(help="parts of names of faults, by commas; all")] = "",
    scale: Annotated[
        float, typer.Option(min=0, help="times the usual number of faults that are no kills")
    ] = 1.0,
    out: Annotated[Path | None, typer.Option("--json", help="file for the table as JSON")] = None,
) -> None:
    """Inject faults into small campaigns, run them to their end, and compare to the bit.

    Exit codes: 0 nothing was wrong, 1 something was.
    """
    faults = chosen([name.strip() for name in only.split(",") if name.strip()])
    console = Console(stderr=True)
    rows = []
    wanted = [
        (fault, round(fault.share * kills if fault.share else fault.times * scale))
        for fault in faults
    ]
    with (
        tempfile.TemporaryDirectory(prefix="ablation-faults-") as folder,
        Drivers(Path(folder)) as drivers,
        counting(console, sum(times for _, times in wanted), "faults") as advance,
    ):
        here = Bench(Path(folder), drivers)
        for fault, times in wanted:
            rows.append(inject(here, fault, times, seed, advance))
            console.print(f"{fault.name}: {rows[-1].injected}", highlight=False)
            if out is not None:
                # Half an hour of faults is not lost to an error of the bench itself.
                write_json(out, to_json(rows))
    typer.echo(to_text(rows))
    raise typer.Exit(_WRONG if any(row.wrong for row in rows) else 0)


if __name__ == "__main__":
    typer.run(bench)
