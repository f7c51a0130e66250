"""Fuzz the readers: ``python -m tests.fuzz --minutes 10 --seed 1 [--target NAME]``.

Each target gets its share of the time, in a process of its own. Prints executions a second, how
many were refused with an error for the user, and findings; a reproducer of each lies below
``--out``. The exit code is 1 if there is any.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fuzz import child, guided
from tests.fuzz.child import NOW, STATE, keep

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fuzz.target import Target

    Run = Callable[[Target, Path, Path, int, float], None]

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own in it
"""Writing a file to a disk takes longer than reading it."""

_STARTS = 200
"""Processes of one target at most: each one more was killed by its input."""


@dataclass
class Outcome:
    """What the fuzzing of one target gave.

    Attributes:
        executions: readings.
        refused: of them, those answered with an error for the user.
        seconds: that they took.
        peak_mib: most memory of the process.
        found: first lines of the problems.
    """

    executions: int = 0
    refused: int = 0
    seconds: float = 0.0
    peak_mib: int = 0
    found: set[str] = field(default_factory=set)

    def add(self, state: dict[str, Any]) -> None:
        self.executions += state["executions"]
        self.refused += state["refused"]
        self.seconds += state["seconds"]
        self.peak_mib = max(self.peak_mib, state["peak_mib"])
        self.found |= set(state["found"])


def fuzz(target: Target, seed: int, seconds: float, out: Path, run: Run = child.run) -> Outcome:
    """Fuzz a target, starting its process again whenever an input has killed it."""
    outcome = Outcome()
    end = time.monotonic() + seconds
    for start in range(_STARTS):
        left = end - time.monotonic()
        if left <= 0:
            break
        with tempfile.TemporaryDirectory(
            prefix="fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None
        ) as place:
            folder = Path(place)
            (folder / "input").mkdir()
            process = get_context("fork").Process(
                target=run, args=(target, folder / "input", out, seed + 1000 * start, left)
            )
            process.start()
            process.join()
            if (folder / STATE).exists():
                outcome.add(json.loads((folder / STATE).read_text()))
            if process.exitcode == 0:
                break
            if not (folder / NOW).exists():
                outcome.found.add("its sound input cannot be read")
                break
            outcome.found.add(_killed(process.exitcode, out, target, folder / NOW))
    return outcome


def _killed(code: int | None, out: Path, target: Target, now: Path) -> str:
    how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
    problem = "a hang" if how == "SIGALRM" else f"the process ended: {how}"
    path = Path(now.read_text())
    keep(out, target.name, problem, path.name, path.read_bytes())
    return problem


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Fuzz all targets, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="for all targets together")
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same inputs")
    parser.add_argument("--target", action="append", help="one of them; may be repeated")
    parser.add_argument("--guided", action="store_true", help="guided by coverage, with atheris")
    parser.add_argument("--out", type=Path, default=Path(".ablation/fuzz"), help="for reproducers")
    given = parser.parse_args()
    if given.guided:
        guided.instrumented()
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - instrumented first, if at all

    names = given.target or list(TARGETS)
    unknown = sorted(set(names) - TARGETS.keys())
    if unknown:
        parser.error(f"no target {unknown[0]}; there are {', '.join(TARGETS)}")
    run = guided.run if given.guided else child.run
    found = 0
    for name in names:
        seconds = 60 * given.minutes / len(names)
        outcome = fuzz(TARGETS[name], given.seed, seconds, given.out.resolve(), run)
        found += len(outcome.found)
        rate = outcome.executions / outcome.seconds if outcome.seconds else 0.0
        say(
            f"{name:>14} {outcome.executions:>8} executions {rate:>8.1f}/s "
            f"{outcome.refused:>8} refused, peak {outcome.peak_mib:>5} MiB, "
            f"{len(outcome.found)} findings"
        )
        for problem in sorted(outcome.found):
            say(f"{'':>14} {problem}")
    if found:
        say(f"reproducers: {given.out}")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
