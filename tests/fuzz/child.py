"""One target in a process of its own, with limits that the system keeps.

What kills the process (a hang, memory that is not there, a crash in compiled code) leaves the
damaged file where it was written, and the driver takes it from there.
"""

from __future__ import annotations

import hashlib
import json
import resource
import signal
import time
import traceback
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from harness.errors import HarnessError

if TYPE_CHECKING:
    from tests.fuzz.target import Prepared, Target

STATE, NOW = "state.json", "now"
"""Beside the input: how far the process is, and which file is damaged at the moment."""

HERE = Path(__file__).resolve().parents[2]


class Child:
    """Damages a target's files one at a time, has them read, and writes down what goes wrong.

    Args:
        target: the target.
        folder: an empty folder for its input, in a folder of its own.
        out: folder for findings.
    """

    def __init__(self, target: Target, folder: Path, out: Path) -> None:
        self.target, self.folder, self.out = target, folder, out
        self.prepared: Prepared = target.prepare(folder)
        self.files = list(self.prepared.files)
        self.sound = {path: path.read_bytes() for path in self.files}
        self.executions = self.refused = self._seconds = 0
        self.found: set[str] = set()

    def limit(self) -> None:
        """Ask the system to keep this process within the target's memory and time."""
        self._seconds = self.target.seconds
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        most = pages * resource.getpagesize() + self.target.memory
        # The soft limit alone: parsers set a hard one of their own.
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))

    def check_sound(self) -> None:
        """Read what is sound: a target that fails on it would find nothing."""
        self.prepared.read()

    def damage(self, random: Random) -> tuple[Path, bytes]:
        """Draw a file and its damaged content."""
        path = random.choice(self.files)
        others = [content for other, content in self.sound.items() if other != path]
        return path, self.prepared.files[path](random, self.sound[path], others)

    def execute(self, path: Path, content: bytes) -> str | None:
        """Read one damaged file; gives what was wrong with the answer, None for nothing."""
        self.executions += 1
        path.write_bytes(content)
        (self.folder.parent / NOW).write_text(str(path))
        if self._seconds:
            signal.alarm(self._seconds)
        try:
            return self._read()
        finally:
            if self._seconds:
                signal.alarm(0)
            path.write_bytes(self.sound[path])

    def _read(self) -> str | None:
        try:
            self.prepared.read()
        except HarnessError as error:
            self.refused += 1
            if (
                self.target.names_place
                and error.where is None
                and str(self.folder) not in str(error)
            ):
                return f"an error that does not say where: {error.what}"
        except self.target.allowed:
            self.refused += 1
        except Exception as error:  # noqa: BLE001 - all others are findings
            return _described(error)
        return None

    def note(self, problem: str, path: Path, content: bytes) -> None:
        """Keep one file that reproduces a problem; the second of its kind is no news."""
        kind = problem.splitlines()[0]
        if kind in self.found:
            return
        self.found.add(kind)
        keep(self.out, self.target.name, problem, path.name, content)

    def tell(self, seconds: float) -> None:
        """Write down what was done so far, for when an input kills this process."""
        state = {
            "executions": self.executions, "refused": self.refused, "seconds": seconds,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
            "found": sorted(self.found),
        }  # fmt: skip
        draft = self.folder.parent / f"{STATE}.draft"
        draft.write_text(json.dumps(state))
        draft.replace(self.folder.parent / STATE)


def keep(out: Path, target: str, problem: str, name: str, content: bytes) -> Path:
    """Write a reproducer and what it does; gives the reproducer's path."""
    folder = out / target
    folder.mkdir(parents=True, exist_ok=True)
    stem = hashlib.sha256(problem.splitlines()[0].encode("utf-8", "replace")).hexdigest()[:12]
    path = folder / f"{stem}-{name}"
    path.write_bytes(content)
    (folder / f"{stem}.txt").write_text(problem, "utf-8", "replace")
    return path


def _described(error: Exception) -> str:
    """First line: what and where in the project's own code; then the traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame for frame in frames
        if Path(frame.filename).is_relative_to(HERE) and "tests/fuzz/child" not in frame.filename
    ]  # fmt: skip
    place = f"{Path(own[-1].filename).relative_to(HERE)}:{own[-1].lineno}" if own else "?"
    lines = traceback.format_exception(error, limit=-30)
    return f"{type(error).__name__} at {place}\n{''.join(lines)[-20_000:]}"


def run(target: Target, folder: Path, out: Path, seed: int, seconds: float) -> None:
    """Fuzz one target for some seconds; how far it came is in ``STATE`` beside the folder.

    Args:
        target: the target.
        folder: an empty folder, in a folder of its own.
        out: folder for findings.
        seed: of the damage.
        seconds: of readings.
    """
    child = Child(target, folder, out)
    child.check_sound()
    child.limit()
    random = Random(seed)
    begun = told = time.monotonic()
    while (now := time.monotonic()) - begun < seconds:
        path, content = child.damage(random)
        problem = child.execute(path, content)
        if problem is not None:
            child.note(problem, path, content)
        if now - told > 1:
            told = now
            child.tell(now - begun)
    child.tell(time.monotonic() - begun)
    child.prepared.end()
