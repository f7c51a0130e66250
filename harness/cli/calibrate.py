"""``ablate calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from harness.cli.progress import counting
from harness.config import RunConfig
from harness.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from harness.calibration.line import Line
    from harness.matrix.events import Event

_FIELDS = RunConfig.model_fields
_SEED = 0
_MOST = 1_000_000
_FILE = "calibration.json"


def calibrate(
    *,
    cases: Annotated[bool, typer.Option(help="judge planted features by real runs")] = True,
    simulate: Annotated[
        int, typer.Option(metavar="N", min=0, max=_MOST, help="simulated gates of each truth")
    ] = 0,
    gates: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, max=1000,
            help="gates of real runs with nothing to find, each on data of its own",
        ),
    ] = 0,
    jobs: Annotated[
        int, typer.Option(metavar="N", min=0, max=4096, help=_FIELDS["jobs"].description)
    ] = 0,
    out: Annotated[Path, typer.Option(help="folder of results")] = Path(".ablation/calibration"),
    data_root: Annotated[Path, typer.Option(help=_FIELDS["data_root"].description)] = _FIELDS[
        "data_root"
    ].default,
) -> None:  # fmt: skip
    """Put known answers to the harness and compare: can its verdicts be trusted here?

    Real runs judge planted features: a no-op, a gain, a loss, slowdowns of 10 % and 30 % and one
    that comes and goes, collapses in one of three runs. --simulate puts thousands of known truths
    to the same gates and shows how often each verdict comes. --gates counts how often real runs
    pass a feature that is worth nothing.

    Exit codes: 0 all as expected, 1 a surprise. Stopped runs go on where they were.

    Example: ablate calibrate --simulate 2000 --gates 200
    """
    from harness.files import write_json  # noqa: PLC0415 - keep --help quick

    changed = {"jobs": jobs, "data_root": data_root}
    lines: list[Line] = []
    # What was stopped must not leave an earlier answer behind as if it were this one's.
    (out / _FILE).unlink(missing_ok=True)
    for line in _lines(out, changed, cases=cases, simulate=simulate, gates=gates):
        lines.append(line)
        typer.echo(f"{'as expected' if line.kept else 'SURPRISE'}: {line.what}")
        typer.echo(f"    wanted {line.wanted}; obtained {line.obtained}")
    write_json(out / _FILE, [line.to_json() for line in lines])
    kept = sum(line.kept for line in lines)
    typer.echo(f"{kept} of {len(lines)} as expected")
    raise typer.Exit(ExitCode.PASS if kept == len(lines) else ExitCode.FAIL)


def _lines(
    out: Path, changed: Mapping[str, Any], *, cases: bool, simulate: int, gates: int
) -> Iterator[Line]:
    if cases:
        yield from _real(out, changed)
    if simulate:
        yield from _simulated(simulate)
    if gates:
        yield from _many(gates, out, changed)


def _real(out: Path, changed: Mapping[str, Any]) -> Iterator[Line]:
    from harness.calibration.cases import known_cases  # noqa: PLC0415 - loads torch
    from harness.calibration.real import run_case  # noqa: PLC0415

    known = known_cases()
    with counting(Console(stderr=True), len(known), "planted features") as advance:
        for case in known:
            yield run_case(case, out, changed)
            advance()


def _simulated(gates: int) -> Iterator[Line]:
    import numpy as np  # noqa: PLC0415
    from tabulate import tabulate  # noqa: PLC0415

    from harness.calibration import simulated  # noqa: PLC0415

    rng = np.random.default_rng(_SEED)
    yield from simulated.promises(rng, gates)
    rows = [one.row for one in simulated.characteristics(rng, gates)]
    typer.echo(tabulate(rows, simulated.HEADERS, tablefmt="github", disable_numparse=True))


def _many(gates: int, out: Path, changed: Mapping[str, Any]) -> Iterator[Line]:
    from harness.calibration.many import MARGINS, count_passes  # noqa: PLC0415
    from harness.matrix.events import Judged  # noqa: PLC0415

    with counting(Console(stderr=True), gates * len(MARGINS), "gates judged") as advance:

        def listen(event: Event) -> None:
            if isinstance(event, Judged) and event.done:
                advance()

        counts = count_passes(gates, out / "gates", changed, listen)
    yield from (count.line() for count in counts)
