"""Drivers: the command under way, as a process that can be killed and waited for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parents[2]
PATIENCE = 600.0
"""Seconds after which a driver counts as hung; a campaign of the bench takes some."""
_POLL = 0.03

_SHOWN = 2000


@dataclass(frozen=True)
class Ended:
    """How the command ended, and what it told.

    Attributes:
        code: of the process; negative for a signal.
        out: what it printed.
        err: what it, and its trials, printed as errors.
    """

    code: int
    out: str
    err: str

    def problems(self, codes: Sequence[int], *said: str) -> list[str]:
        """What is wrong with it: another exit code, a traceback, or something left unsaid."""
        told = self.out + self.err
        shown = told[-_SHOWN:]
        found = []
        if self.code not in codes:
            wanted = " or ".join(map(str, codes))
            found.append(f"exit code {self.code} instead of {wanted}: {shown}")
        if "Traceback" in told:
            found.append(f"a traceback: {shown}")
        flat = " ".join(told.split())
        found += [f"'{text}' is not said: {shown}" for text in said if text not in flat]
        return found


class Driver:
    """A command that runs.

    Args:
        pid: of its process, the leader of a group.
        out: file that it prints to.
        err: files of what it, and its trials, print as errors; with the place to read on from.
        poll: gives the exit code, or None while it runs.
    """

    def __init__(
        self, pid: int, out: Path, err: Sequence[tuple[Path, int]], poll: Callable[[], int | None]
    ) -> None:
        self.pid, self._out, self._err, self._poll = pid, out, err, poll
        self.code: int | None = None

    def runs(self) -> bool:
        """Whether it has not ended."""
        if self.code is None:
            self.code = self._poll()
        return self.code is None

    def send(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send a signal, to its whole process group if asked."""
        if self.runs():
            (os.killpg if group else os.kill)(self.pid, number)

    def wait(self) -> Ended:
        """Wait for its end.

        Raises:
            TimeoutError: if it hangs; it is killed then.
        """
        wait_until(lambda: not self.runs(), "the command hangs", otherwise=self._give_up)
        told = [path.read_bytes()[start:].decode("utf-8", "replace") for path, start in self._err]
        assert self.code is not None
        return Ended(self.code, self._out.read_text("utf-8", "replace"), "".join(told))

    def _give_up(self) -> None:
        self.send(signal.SIGKILL, group=True)


class Drivers:
    """Starts drivers; use it as a context.

    Args:
        folder: where what they print goes, and their locks and temporary files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        # Locks of the machine lie in the temporary folder: nothing else is waited for.
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ABLATION_")}
        self._environment = {
            **kept, "TMPDIR": str(folder / "tmp"), "OMP_NUM_THREADS": "1", "COLUMNS": "200",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])]),
        }  # fmt: skip
        self._shared = folder / "trials.err"
        self._launcher: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        with self._shared.open("w") as file:
            self._launcher = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.launcher"], cwd=ROOT, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, env=self._environment,
            )  # fmt: skip
        self._ask(None)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._launcher is not None
        self._launcher.communicate()

    def _ask(self, asked: dict[str, Any] | None) -> dict[str, Any]:
        launcher = self._launcher
        assert launcher is not None
        assert launcher.stdin is not None
        assert launcher.stdout is not None
        if asked is not None:
            launcher.stdin.write(json.dumps(asked) + "\n")
            launcher.stdin.flush()
        line = launcher.stdout.readline()
        if not line:
            raise RuntimeError(self._shared.read_text("utf-8", "replace"))
        answer: dict[str, Any] = json.loads(line)
        return answer

    def start(self, words: Sequence[str], *, cold: bool = False) -> Driver:
        """Start the command.

        Args:
            words: after ``ablate``.
            cold: as ``python -m harness``, which loads everything and has a fork server in its
                own process group, instead of forked from the launcher.
        """
        self._count += 1
        out, err = (self._folder / f"{self._count}.{kind}" for kind in ("out", "err"))
        if not cold:
            start = self._shared.stat().st_size
            asked = {
                "words": list(words), "folder": str(self._folder), "out": str(out), "err": str(err),
            }  # fmt: skip
            pid = self._ask(asked)["pid"]
            wait_until(err.exists, "the driver does not start")
            return Driver(
                pid, out, [(err, 0), (self._shared, start)], lambda: self._ask({"pid": pid})["code"]
            )
        with out.open("w") as told, err.open("w") as wrong:
            process = subprocess.Popen(
                [sys.executable, "-m", "harness", *words], cwd=self._folder, stdout=told,
                stderr=wrong, stdin=subprocess.DEVNULL, env=self._environment,
                start_new_session=True,
            )  # fmt: skip
        return Driver(process.pid, out, [(err, 0)], process.poll)


def wait_until(
    holds: Callable[[], object],
    what: str,
    otherwise: Callable[[], object] = lambda: None,
    seconds: float = PATIENCE,
) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: if it does not come about; ``otherwise`` is called first.
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            otherwise()
            raise TimeoutError(what)
        time.sleep(_POLL)
