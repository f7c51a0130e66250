"""The local executor: a process per trial, forked from a server that has torch loaded."""

from __future__ import annotations

import multiprocessing
import signal
import time
from dataclasses import dataclass
from multiprocessing import connection
from typing import TYPE_CHECKING, Literal

from harness.hardware import available_cores
from harness.matrix.store import Failure
from harness.matrix.worker import LOG, Job, run_job

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, ForkServerProcess
    from pathlib import Path

    from harness.matrix.spec import TrialSpec
    from harness.matrix.store import Store

Status = Literal["finished", "error", "killed", "timeout"]

PRELOAD = ("harness.matrix.preload",)
_LOG_TAIL = 4000


def fork_server() -> ForkServerContext:
    """The context whose processes are forked from a server that is ready to train."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    return context


@dataclass(frozen=True)
class Outcome:
    """How an attempt at a trial ended.

    Attributes:
        key: of the trial.
        status: ``finished`` if the store holds its result.
        seconds: wall time from start to end.
    """

    key: str
    status: Status
    seconds: float


@dataclass
class _Running:
    process: ForkServerProcess
    started: float
    before: Failure | None


class LocalExecutor:
    """Runs trials on this machine, each in its own process.

    A crash, a kill for memory or a time-out costs one trial and is recorded as such.

    Args:
        store: where results go.
        jobs: trials at once.
        timeout: seconds after which a trial is killed.
        plugins: Python files that every process imports first.
    """

    def __init__(
        self, store: Store, jobs: int, timeout: float, plugins: tuple[str, ...] = ()
    ) -> None:
        self._store, self._jobs, self._timeout, self._plugins = store, jobs, timeout, plugins
        self._running: dict[str, _Running] = {}
        self.context = fork_server()

    @property
    def free(self) -> int:
        """Trials that can be started now."""
        return self._jobs - len(self._running)

    @property
    def running(self) -> frozenset[str]:
        """Keys of the trials under way."""
        return frozenset(self._running)

    def start(self, spec: TrialSpec, data: Path) -> None:
        """Start a trial.

        Args:
            spec: the trial.
            data: folder of its packed data set.
        """
        share = max(1, available_cores() // (self._jobs * spec.threads))
        job = Job(spec.model_dump_json(), str(data), str(self._store.root), self._plugins, share)
        process = self.context.Process(target=run_job, args=(job,), name=f"trial-{spec.key[:8]}")
        before = self._store.failure(spec.key)
        process.start()
        self._running[spec.key] = _Running(process, time.monotonic(), before)

    def wait(self, seconds: float = 0.5) -> list[Outcome]:
        """Wait at most so long for trials to end; returns those that did."""
        sentinels = {run.process.sentinel: key for key, run in self._running.items()}
        ended = {sentinels[ready] for ready in connection.wait(list(sentinels), seconds)}  # type: ignore[index]
        now = time.monotonic()
        outcomes = []
        for key, run in list(self._running.items()):
            late = now - run.started > self._timeout
            if key not in ended and not late:
                continue
            if key not in ended:
                run.process.kill()
            run.process.join()
            del self._running[key]
            status = self._status(key, run, late=key not in ended)
            outcomes.append(Outcome(key, status, now - run.started))
        return outcomes

    def _status(self, key: str, run: _Running, *, late: bool) -> Status:
        exitcode = run.process.exitcode
        if self._store.finished(key):
            return "finished"
        if late:
            detail = f"stopped after {self._timeout:.0f} s"
            self._store.fail(key, Failure(kind="timeout", detail=detail, log=self._log(key)))
            return "timeout"
        if exitcode is not None and exitcode < 0:
            name = signal.Signals(-exitcode).name
            why = ", as the system does when memory runs out" if name == "SIGKILL" else ""
            detail = f"killed by {name}{why}"
            self._store.fail(key, Failure(kind="killed", detail=detail, log=self._log(key)))
            return "killed"
        if self._store.failure(key) == run.before:
            detail = f"the process ended with code {exitcode} and left no result"
            self._store.fail(key, Failure(kind="error", detail=detail, log=self._log(key)))
        return "error"

    def _log(self, key: str) -> str:
        try:
            return (self._store.work(key) / LOG).read_text("utf-8", "replace")[-_LOG_TAIL:]
        except OSError:
            return ""

    def stop(self) -> None:
        """Kill what is under way; finished trials stay, and checkpoints let the others go on."""
        for run in self._running.values():
            run.process.kill()
        for run in self._running.values():
            run.process.join()
        self._running.clear()
