"""The command's frame: its commands, and what happens when one cannot do its work."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from harness.cli import (
    calibrate,
    data,
    doctor,
    gate,
    key,
    listing,
    matrix,
    merge,
    plan,
    reports,
    train,
    tune,
)
from harness.errors import ExitCode, HarnessError, describe_os_error

if TYPE_CHECKING:
    from types import FrameType

KILLED_BY = 128  # a shell's exit code of a process that a signal ended, less the signal's number


class StoppedError(BaseException):
    """The user, or the system, wants the command to end; no library catches this on its way."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


app = typer.Typer(
    name="ablate",
    help="Does this training feature earn its place? Paired ablations with sequential gates.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(matrix.run)
app.command("gate")(gate.gate)
app.command("plan")(plan.plan)
app.command("report")(reports.report)
app.command("roadmap")(reports.roadmap)
app.command("doctor")(doctor.doctor)
app.command("merge")(merge.merge)
app.command("calibrate")(calibrate.calibrate)
app.command("train")(train.train)
app.command("tune")(tune.tune)
app.command("features")(listing.features)
app.command("models")(listing.models)
app.command("key")(key.key)
app.add_typer(data.app, name="data")


def main() -> NoReturn:
    """Run the command line and exit with its code; errors meant for the user have no traceback."""
    console = Console(stderr=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        app()
    except HarnessError as error:
        console.print(Text(f"error: {error}"), soft_wrap=True)
        sys.exit(error.exit_code)
    except StoppedError as stopped:
        console.print("stopped; what is finished is kept: run the same command to go on")
        sys.exit(KILLED_BY + stopped.number)
    except OSError as error:
        console.print(Text(f"error: {describe_os_error(error)}"), soft_wrap=True)
        sys.exit(ExitCode.USAGE)
    sys.exit(ExitCode.PASS)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    for again in (signal.SIGINT, signal.SIGTERM):
        signal.signal(again, _leave)
    raise StoppedError(number)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Leave at once when told again, at whatever point of stopping; workers end with us."""
    del frame
    os._exit(KILLED_BY + number)
