"""The local executor: a process per trial, forked from a server that has torch loaded."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from typing import TYPE_CHECKING

from harness.hardware import available_cores
from harness.matrix import locks
from harness.matrix.executor import Outcome
from harness.matrix.records import Failure
from harness.matrix.starting import uninterrupted
from harness.matrix.timing import TimedCell
from harness.matrix.worker import LOG, VISIBLE, Job, run_job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.context import ForkServerContext, ForkServerProcess
    from pathlib import Path

    from harness.matrix.blocks import TimingSettings
    from harness.matrix.executor import Status
    from harness.matrix.spec import TrialSpec
    from harness.matrix.store import Store

PRELOAD = ("harness.matrix.preload",)
_LOG_TAIL = 4000


def fork_server() -> ForkServerContext:
    """The context whose processes are forked from a server that is ready to train."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    return context


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
        timeout: seconds after which a trial is killed, or a timed visit given up.
        plugins: Python files that every process imports first.
        cores: that all trials share; None for those of the machine.
        verify: whether a trial is refused where code or hardware are not those of its key, as
            they may be on a machine that did not make the plan.
    """

    def __init__(
        self, store: Store, jobs: int, timeout: float, plugins: tuple[str, ...] = (), *,
        cores: int | None = None, verify: bool = False,
    ) -> None:  # fmt: skip
        self._store, self._jobs, self._timeout, self._plugins = store, jobs, timeout, plugins
        self._cores = available_cores() if cores is None else cores
        self._verify = verify
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

    @property
    def elsewhere(self) -> frozenset[str]:
        """None: this machine is alone."""
        return frozenset()

    def start(self, spec: TrialSpec, data: Path) -> bool:
        """Start a trial; it always can be.

        Args:
            spec: the trial.
            data: folder of its packed data set.
        """
        share = max(1, self._cores // (self._jobs * spec.threads))
        job = Job(
            spec.model_dump_json(), str(data), str(self._store.root), self._plugins, share,
            verify=self._verify, gpus=os.environ.get(VISIBLE),
        )  # fmt: skip
        process = self.context.Process(target=run_job, args=(job,), name=f"trial-{spec.key[:8]}")
        before = self._store.failure(spec.key)
        with uninterrupted():
            process.start()
        self._running[spec.key] = _Running(process, time.monotonic(), before)
        return True

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
        if self._store.finished(key):
            return "finished"
        limit = self._timeout if late else None
        return _how_it_ended(self._store, key, run.process.exitcode, run.before, limit)

    def cancel(self, key: str) -> Outcome:
        """Kill a trial under way; its checkpoint stays."""
        run = self._running.pop(key)
        run.process.kill()
        run.process.join()
        return Outcome(key, "cancelled", time.monotonic() - run.started)

    @contextmanager
    def timed(
        self, baseline: TrialSpec, candidate: TrialSpec, data: Path, settings: TimingSettings
    ) -> Iterator[TimedCell]:
        """Hold this machine alone, with both arms loaded in a process each."""
        with (
            locks.exclusive(),
            TimedCell(
                self.context, baseline, candidate, data, self._plugins, settings, self._timeout
            ) as cell,
        ):
            yield cell

    def stop(self) -> None:
        """Kill what is under way; finished trials stay, and checkpoints let the others go on."""
        for run in self._running.values():
            run.process.kill()
        for run in self._running.values():
            run.process.join()
        self._running.clear()


def _how_it_ended(
    store: Store, key: str, exitcode: int | None, before: Failure | None, late: float | None
) -> Status:
    """Why a trial's process left no result; recorded unless the process has done so itself.

    Args:
        store: of the trial.
        key: of the trial.
        exitcode: of the process; negative for a signal.
        before: the failure that was recorded before the attempt.
        late: seconds after which the process was killed, if it was.
    """
    status: Status = "error"
    detail = f"the process ended with code {exitcode} and left no result"
    if late is not None:
        status, detail = "timeout", f"stopped after {late:.0f} s"
    elif exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        why = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        status, detail = "killed", f"killed by {name}{why}"
    recorded = store.failure(key)
    if status == "error" and recorded is not None and recorded != before:
        return "damaged" if recorded.kind == "damaged" else status
    store.fail(key, Failure(kind=status, detail=detail, log=_log(store, key)))
    return status


def _log(store: Store, key: str) -> str:
    try:
        return (store.work(key) / LOG).read_text("utf-8", "replace")[-_LOG_TAIL:]
    except OSError:
        return ""
