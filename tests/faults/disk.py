"""A disk that is full, and one that can only be read: a small file system of its own for --out."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.errors import ExitCode
from harness.matrix.planned import PLAN_FILE
from tests.faults import evidence
from tests.faults.bench import USUAL
from tests.faults.outline import NotPossibleError, Outcome, Seen, seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

    from tests.faults.bench import Bench

_SIZE = 64 << 20
_LEAST, _MOST = 1 << 14, 1 << 20


def fill_disk(bench: Bench, draw: Random) -> Seen:
    """Let the disk be full somewhere in a campaign, make room as advised, and go on."""
    with _file_system(bench.new_folder()) as place:
        left = draw.randrange(_LEAST, _MOST)
        ballast = place / "ballast"
        with ballast.open("wb") as file:
            file.write(bytes(_SIZE - left))
        out = place / "out"
        ended = bench.run(USUAL, out)
        problems = ended.problems(
            [ExitCode.USAGE, ExitCode.NOT_MEASURED],
            "No space left on device", "make room and run the same command to go on",
        )  # fmt: skip
        if ended.code == USUAL.code:
            problems = ["the campaign had room enough"]
        before = evidence.finished(out)
        problems += evidence.half_written(out)
        ballast.unlink()
        problems = problems or bench.go_on(USUAL, out, before)
    return seen(problems, Outcome.SAID, where=f"{left >> 10} KiB left")


def lock_disk(bench: Bench, draw: Random) -> Seen:
    """Let the store be read-only: a report can be had, a run says what it cannot write."""
    with _file_system(bench.new_folder()) as place:
        out = place / "out"
        half = bench.begun(USUAL, keep=draw.randrange(4))
        shutil.copytree(half, out)
        shutil.rmtree(half)
        before = evidence.finished(out)
        _mount("-o", "remount,ro", str(place))
        refused = bench.run(USUAL, out)
        problems = refused.problems(
            [ExitCode.USAGE], "Read-only file system", "give a place that can be written",
            str(out / PLAN_FILE),
        )  # fmt: skip
        report = bench.drivers.start(["report", str(out)]).wait()
        # So far as it has come: where nothing is finished, nothing is measured.
        codes = [ExitCode.FAIL, ExitCode.INCONCLUSIVE, ExitCode.NOT_MEASURED]
        problems += report.problems(codes)
        _mount("-o", "remount,rw", str(place))
        problems = problems or bench.go_on(USUAL, out, before)
    return seen(problems, Outcome.SAID)


@contextmanager
def _file_system(place: Path) -> Iterator[Path]:
    """A file system in memory.

    Raises:
        NotPossibleError: if the system lets nobody mount one here.
    """
    place.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(place))
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # noqa: S607 - mount(8)


def _mount(*words: str) -> None:
    try:
        subprocess.run(["mount", *words], check=True, capture_output=True, text=True)  # noqa: S607
    except FileNotFoundError as error:
        raise NotPossibleError("there is no mount(8)") from error
    except subprocess.CalledProcessError as error:
        raise NotPossibleError(f"a file system is needed: {error.stderr.strip()}") from error
