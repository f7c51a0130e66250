"""Timed blocks: two processes that hold one arm each and train by turns, with nothing beside them.

Both arms stay loaded; while one trains, the other waits on a pipe. A visit trains one discarded
warm-up epoch and then some that count; the fit goes on from visit to visit, so that schedules and
averages take their course, and starts anew when its epochs are done. Evaluation is outside the
clock. An arm with an ``around_fit`` wrap cannot be taken epoch by epoch: a visit is then one
whole fit.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch

from harness.errors import NotMeasuredError
from harness.hardware import available_cores
from harness.matrix.blocks import TimingSettings
from harness.matrix.spec import TrialSpec
from harness.matrix.starting import uninterrupted
from harness.matrix.store import Store
from harness.matrix.worker import (
    leave_interrupts_to_the_driver,
    prepare,
    print_to,
    to_fit,
)
from harness.process import cpu_seconds, die_with_parent
from harness.training.fit import FitSession, fit

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext, ForkServerProcess

    from harness.result import FitResult, FitSpec
    from harness.settings import TrainingSettings

_NEVER = 10**6


@dataclass(frozen=True)
class VisitTimes:
    """What an arm reports of one visit, in seconds.

    Attributes:
        epochs: wall time of each epoch that counts.
        cpu: mean CPU time of those epochs.
        setup: wall time before the first batch, of each fit that began in the visit.
        finish: wall time after the last epoch, of each fit that ended in it.
        peak_bytes: most memory that the process (on a GPU: the device) held so far.
    """

    epochs: list[float]
    cpu: float
    setup: list[float]
    finish: list[float]
    peak_bytes: int


def timed_settings(settings: TrainingSettings) -> TrainingSettings:
    """The settings of a timed fit: every epoch is trained, by the kernels that users run.

    Patience and collapse are switched off, and so are the slower kernels of ``deterministic``.
    """
    off = {"patience": 0, "warmup_epochs": _NEVER, "deterministic": False}
    return settings.model_copy(update=off)


class TimedArm:
    """One arm, trained by visits.

    Args:
        spec: the trial to train; stopping early and collapse are switched off.
        settings: of the visits.
    """

    def __init__(self, spec: FitSpec, settings: TimingSettings) -> None:
        self._spec = replace(spec, settings=timed_settings(spec.settings), resume=False, cache=None)
        self._settings = settings
        self._session: FitSession | None = None
        self._whole = any("around_fit" in feature.hooks() for feature in spec.arm)

    def visit(self) -> VisitTimes:
        """Train the visit's epochs."""
        return self._whole_fit() if self._whole else self._epochs()

    def _epochs(self) -> VisitTimes:
        seconds: list[float] = []
        setup: list[float] = []
        finish: list[float] = []
        cpu = 0.0
        for number in range(self._settings.warmup_epochs + self._settings.epochs):
            if self._session is None or self._session.run.epoch >= self._spec.settings.epochs:
                if self._session is not None:
                    finish.append(self._session.finish().finish_seconds)
                self._session = FitSession(self._spec)
                setup.append(self._session.setup_seconds)
            before = time.process_time()
            elapsed = self._session.run_epoch()
            evaluation = self._session.run.history[-1].evaluation_seconds
            if number >= self._settings.warmup_epochs:
                seconds.append(elapsed)
                cpu += max(time.process_time() - before - evaluation, 0.0)
        return VisitTimes(seconds, cpu / len(seconds), setup, finish, self._peak())

    def _whole_fit(self) -> VisitTimes:
        cpu, start = cpu_seconds(), time.perf_counter()
        found = fit(self._spec)
        # A wrap may train in several processes, whose evaluations overlap: it is their share of
        # the work that is left out, and not their seconds.
        share = training_share(found) / self._spec.settings.epochs
        seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
        return VisitTimes([seconds * share], cpu * share, [], [], self._peak())

    def _peak(self) -> int:
        if self._spec.device.startswith("cuda"):
            return torch.cuda.max_memory_allocated(self._spec.device)
        unit = 1 if sys.platform == "darwin" else 1024
        # Of the largest process, where a wrap has trained in several.
        kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        return max(resource.getrusage(kind).ru_maxrss for kind in kinds) * unit


def training_share(found: FitResult) -> float:
    """Share of a fit's own seconds that is no evaluation, in [0, 1]."""
    evaluation = sum(record.evaluation_seconds for record in found.history)
    training = found.setup_seconds + sum(found.train_seconds) + found.finish_seconds
    return training / (training + evaluation) if training else 1.0


def serve(
    pipe: Connection, spec: str, data: str, scratch: str, plugins: tuple[str, ...], settings: str
) -> None:
    """The life of an arm's process: one visit for each word that comes through the pipe."""
    die_with_parent()
    leave_interrupts_to_the_driver()
    trial, folder = TrialSpec.model_validate_json(spec), Path(scratch)
    print_to(folder / "log")
    prepare(plugins, trial.threads)
    cores = available_cores()  # nothing trains beside it
    arm = TimedArm(
        to_fit(trial, Path(data), Store(folder), max(1, cores // trial.threads)),
        TimingSettings.model_validate_json(settings),
    )
    while pipe.recv_bytes() == b"visit":
        pipe.send_bytes(json.dumps(asdict(arm.visit())).encode())


class TimedCell:
    """The two processes of one cell; use it as a context, with the machine held exclusively.

    Args:
        context: makes the processes.
        baseline: trial of the baseline arm.
        candidate: trial of the candidate arm.
        data: folder of their packed data set.
        plugins: Python files to import first.
        settings: of the visits.
        visit_timeout: seconds after which a visit is given up.
    """

    def __init__(
        self, context: ForkServerContext, baseline: TrialSpec, candidate: TrialSpec, data: Path,
        plugins: tuple[str, ...], settings: TimingSettings, visit_timeout: float,
    ) -> None:  # fmt: skip
        self._timeout = visit_timeout
        self._arms: dict[str, tuple[ForkServerProcess, Connection]] = {}
        # Of this process, since those of the arms are killed with all that they hold.
        self._scratch = tempfile.TemporaryDirectory(
            prefix="gnn-ablation-timing-", ignore_cleanup_errors=True
        )
        for name, spec in (("baseline", baseline), ("candidate", candidate)):
            here, there = context.Pipe()
            folder = Path(self._scratch.name) / name
            folder.mkdir()
            arguments = (
                there, spec.model_dump_json(), str(data), str(folder), plugins,
                settings.model_dump_json(),
            )  # fmt: skip
            process = context.Process(target=serve, args=arguments, name=f"timed-{name}")
            with uninterrupted():
                process.start()
            there.close()
            self._arms[name] = (process, here)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process, pipe in self._arms.values():
            process.kill()
            process.join()
            pipe.close()
        self._scratch.cleanup()

    def block(self, order: list[str]) -> dict[str, Any]:
        """Time one block of four visits in an order from ``drawn_order``; JSON data."""
        visits: dict[str, list[dict[str, Any]]] = {"baseline": [], "candidate": []}
        for name in order:
            visits[name].append(self._visit(name))
        return {"order": order, **visits}

    def _visit(self, name: str) -> dict[str, Any]:
        process, pipe = self._arms[name]
        try:
            pipe.send_bytes(b"visit")
            if not pipe.poll(self._timeout):
                limit = f"{self._timeout:.0f} s"
                raise NotMeasuredError(f"a visit of the {name} arm took more than {limit}")
            times: dict[str, Any] = json.loads(pipe.recv_bytes())
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            process.join(1)
            raise NotMeasuredError(
                f"the {name} arm's process ended with code {process.exitcode} while it was timed"
            ) from error
        return times
