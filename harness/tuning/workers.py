"""A search by several processes of this machine, watched by the one that asked for it."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ExitCode, HarnessError, NotMeasuredError
from harness.feature import make_arm
from harness.graphs.dataset import open_folder
from harness.matrix import locks
from harness.matrix.local import fork_server
from harness.matrix.starting import uninterrupted
from harness.matrix.worker import FAILED, prepare, print_to
from harness.process import die_with_parent
from harness.result import FitSpec
from harness.selection import parse, parse_single
from harness.settings import TrainingSettings
from harness.training.fit import fit
from harness.tuning.sampler import counts
from harness.tuning.search import Search
from harness.tuning.seeds import search_seeds, search_split
from harness.tuning.study import Study

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

    from optuna.trial import FrozenTrial

    from harness.result import FitResult
    from harness.tuning.search import Winner

WATCH_SECONDS = 0.5


@dataclass(frozen=True)
class Task:
    """What a worker is given; plain values, since they cross to another process.

    Attributes:
        search: as JSON.
        data: folder of the packed data set.
        folder: of journal, logs and report.
        model: selection.
        arm: selections of the features.
        settings: of the loop, as JSON.
        seed: of the search.
        device: a torch device string.
        threads: of a worker.
        plugins: Python files to import first.
    """

    search: str
    data: str
    folder: str
    model: str
    arm: tuple[str, ...]
    settings: str
    seed: int
    device: str
    threads: int
    plugins: tuple[str, ...] = ()

    def study(self) -> Study:
        """The study, opened or made.

        Raises:
            HarnessError: if the data cannot be read, or for what ``Study.open`` refuses.
        """
        search = Search.model_validate_json(self.search)
        graphs = open_folder(Path(self.data))
        spec = FitSpec(
            graphs=graphs,
            split=search_split(graphs, search_seeds(self.seed, 1)[0]),
            model=parse_single(self.model),
            arm=make_arm(one for text in self.arm for one in parse(text)),
            settings=TrainingSettings.model_validate_json(self.settings),
            seed=self.seed,
            device=self.device,
        )
        return Study.open(search, spec, folder=Path(self.folder))


def search_together(
    task: Task,
    workers: int,
    on_trial: Callable[[FrozenTrial], None],
    say: Callable[[str], None],
) -> Winner:
    """Search with so many processes, beside those that others started for the same study.

    A worker that is killed costs the trial that it was training, which the others begin again.

    Args:
        task: what is searched.
        workers: processes.
        on_trial: called for each trial that has ended, those of earlier sessions first.
        say: called with what the user should know.

    Raises:
        HarnessError: if the search cannot be, or a worker says so.
        NotMeasuredError: if all workers ended before the search did, or no trial was finished.
    """
    study = task.study()
    with closing(study.storage):
        return _search(study, task, workers, on_trial, say)


def _search(
    study: Study,
    task: Task,
    workers: int,
    on_trial: Callable[[FrozenTrial], None],
    say: Callable[[str], None],
) -> Winner:
    seen: set[int] = set()

    def tell_news() -> None:
        for trial in study.trials():
            if trial.number not in seen and counts(trial):
                seen.add(trial.number)
                on_trial(trial)

    tell_news()
    if len(seen) < study.search.trials:
        crew = _Crew(task, workers)
        try:
            while crew.watch(say):
                tell_news()
        finally:
            crew.stop()
        tell_news()
        crew.check(finished=len(seen) >= study.search.trials)
    return study.winner()


class _Crew:
    """The worker processes."""

    def __init__(self, task: Task, workers: int) -> None:
        context = fork_server()
        self._running: dict[ForkServerProcess, Connection] = {}
        self._error: HarnessError | None = None
        self._killed = 0
        for number in range(1, workers + 1):
            receive, send = context.Pipe(duplex=False)
            process = context.Process(
                target=serve, args=(task, send, f"worker-{number}.log"), name=f"worker {number}"
            )
            with uninterrupted():
                process.start()
            send.close()
            self._running[process] = receive

    def watch(self, say: Callable[[str], None]) -> bool:
        """Wait a little for workers to end; whether any is left."""
        sentinels = {process.sentinel: process for process in self._running}
        for ready in connection.wait(list(sentinels), WATCH_SECONDS):
            process = sentinels[ready]  # type: ignore[index]
            process.join()
            self._end(process, self._running.pop(process), say)
        return bool(self._running)

    def _end(
        self, process: ForkServerProcess, pipe: Connection, say: Callable[[str], None]
    ) -> None:
        code = process.exitcode or 0
        if code < 0:
            self._killed += 1
            name = signal.Signals(-code).name
            say(f"{process.name} was killed by {name}; its trial is begun again by the others")
        elif code and self._error is None:
            self._error = _received(pipe, process.name)
        pipe.close()

    def check(self, *, finished: bool) -> None:
        """Raise what ended the workers before their time."""
        if finished:
            return
        if self._error is not None:
            raise self._error
        if self._killed:
            raise NotMeasuredError(
                "the workers ended before the search did",
                mend="run the same command to go on; with fewer --workers if memory ran out",
            )

    def stop(self) -> None:
        """Kill the workers that are left; their trials are begun again when the search goes on."""
        for process in self._running:
            process.kill()
            process.join()


def serve(task: Task, pipe: Connection, log: str) -> None:
    """The life of a worker: take part in the study until it is done."""
    die_with_parent()
    print_to(Path(task.folder) / log)
    try:
        prepare(task.plugins, task.threads)
        study = task.study()
        with closing(study.storage):
            study.work(_fit_beside_others)
    except HarnessError as error:
        words = {"what": error.what, "where": error.where, "mend": error.mend}
        pipe.send_bytes(json.dumps({**words, "code": int(error.exit_code)}).encode())
        sys.exit(FAILED)


def _fit_beside_others(spec: FitSpec) -> FitResult:
    """Train while nothing is timed on this machine."""
    with locks.shared():
        return fit(spec)


def _received(pipe: Connection, name: str) -> HarnessError:
    if pipe.poll():
        words = json.loads(pipe.recv_bytes())
        code = words.pop("code")
        error = HarnessError(words.pop("what"), **words)
        error.exit_code = ExitCode(code)
        return error
    return NotMeasuredError(f"{name} crashed", mend="its log in the study's folder says why")
