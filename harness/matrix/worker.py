"""What runs inside a trial's own process."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

from harness.errors import HarnessError, describe_os_error
from harness.graphs.splits import stored_split
from harness.hardware import describe
from harness.matrix import locks
from harness.matrix.blame import raised_in
from harness.matrix.code_here import check_here
from harness.matrix.intact import open_intact
from harness.matrix.records import Failure
from harness.matrix.spec import TrialSpec, engine_key
from harness.matrix.store import GateScores, Store, TrialResult, gate_digest
from harness.metrics import Confusion, auc, predict
from harness.process import cpu_seconds, die_with_parent, set_up
from harness.registry import import_plugins
from harness.result import FitSpec
from harness.training.checkpoint import DamagedCheckpointError
from harness.training.configuration import git_commit
from harness.training.fit import fit

if TYPE_CHECKING:
    from harness.result import FitResult

LOG, LOCK = "worker.log", "lock"
VISIBLE = "CUDA_VISIBLE_DEVICES"
FAILED = 1
_LOG_TAIL = 4000


@dataclass(frozen=True)
class Job:
    """A trial and where its things are; plain strings, since it crosses to another process.

    Attributes:
        spec: the trial as JSON.
        data: folder of the packed data set.
        store: folder of the store.
        plugins: Python files to import first.
        processes: that the trial may train in at once.
        verify: whether to refuse a trial of other code or other hardware than this machine's.
        gpus: that the driver may see now; the server that forks may be older than that.
    """

    spec: str
    data: str
    store: str
    plugins: tuple[str, ...] = ()
    processes: int = 1
    verify: bool = False
    gpus: str | None = None


def run_job(job: Job) -> None:
    """Train a trial and store its result; the whole life of a worker process.

    Exits with 0 if the store holds the result, else with 1 and a failure record.
    """
    spec = TrialSpec.model_validate_json(job.spec)
    store = Store(Path(job.store))
    work = store.work(spec.key)
    die_with_parent()
    leave_interrupts_to_the_driver()
    if job.gpus is not None:
        os.environ[VISIBLE] = job.gpus
    try:
        with locks.one_at_a_time(work / LOCK), locks.shared():
            if store.finished(spec.key):
                return
            print_to(work / LOG)
            prepare(job.plugins, spec.threads)
            if job.verify:
                check_here(spec, describe(spec.device, spec.threads))
            train(spec, Path(job.data), store, job.processes)
    except DamagedCheckpointError as error:
        _end_without_checkpoint(store, spec.key, error)
    except HarnessError as error:
        _end(store, spec.key, str(error))
    except Exception as error:  # noqa: BLE001 - whatever a feature raises is this trial's end alone
        _end(store, spec.key, _told(error), traceback.format_exc())


def leave_interrupts_to_the_driver() -> None:
    """Ignore what a terminal sends to all of its processes: the driver ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_without_checkpoint(store: Store, key: str, error: DamagedCheckpointError) -> NoReturn:
    """Remove what an interrupted attempt left, so that the trial begins anew, and exit.

    A checkpoint that lies elsewhere, as one that a feature starts from, is the user's to mend.
    """
    work = store.work(key)
    if not Path(error.where or "").is_relative_to(work):
        _end(store, key, str(error))
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in (LOCK, LOG):
            path.unlink(missing_ok=True)
    _end(store, key, str(error), kind="damaged")


def _end(
    store: Store, key: str, detail: str, log: str = "", kind: Literal["error", "damaged"] = "error"
) -> NoReturn:
    """Record a failure and exit; where not even that can be written, the driver meets it too."""
    with suppress(OSError):
        one_line = " ".join(detail.split())
        store.fail(key, Failure(kind=kind, detail=one_line, log=log[-_LOG_TAIL:]))
    sys.exit(FAILED)


def _told(error: Exception) -> str:
    """What a trial raised, and in which feature's hook; what to do, where the system refused."""
    raised = raised_in(error)
    if isinstance(error, OSError) and raised is None:
        return str(describe_os_error(error))
    place = "" if raised is None else f"feature '{raised[0]}' in {raised[1]}: "
    return f"{place}{type(error).__name__}: {error}"


def train(spec: TrialSpec, data: Path, store: Store, processes: int = 1) -> None:
    """Train the trial, from its last checkpoint where it was interrupted, and store what it found.

    Raises:
        HarnessError: if data set, arm or checkpoint are not what they should be.
        OSError: if the store cannot be written.
    """
    wall, cpu = time.perf_counter(), cpu_seconds()
    found = fit(to_fit(spec, data, store, processes))
    gate = _gate_scores(found)
    result = TrialResult(
        spec=spec,
        hardware=describe(spec.device, spec.threads),
        git_commit=git_commit(),
        f1=None if gate is None else Confusion.of(gate.label, gate.predicted).f1,
        metrics=_metrics(found, gate),
        best_epoch=found.best_epoch,
        threshold=found.threshold,
        epochs=len(found.history),
        collapse=found.collapse,
        notes=found.notes,
        wall_seconds=time.perf_counter() - wall,
        cpu_seconds=cpu_seconds() - cpu,
        gate_digest=None if gate is None else gate_digest(gate),
    )
    store.write(result, gate)


def to_fit(spec: TrialSpec, data: Path, store: Store, processes: int = 1) -> FitSpec:
    """The fit that a trial stands for.

    Raises:
        HarnessError: if the data set is another one than the trial's.
    """
    graphs = open_intact(data)
    if graphs.content != spec.data:
        raise HarnessError("holds another data set than the trial's", where=str(data))
    # What another engine measured, such as a learning rate, would not be these bits.
    cache = store.cache / engine_key()
    return FitSpec(
        graphs=graphs,
        split=stored_split(graphs, spec.seed, cache),
        model=spec.model_selection,
        arm=spec.features,
        settings=spec.settings,
        seed=spec.seed,
        device=spec.device,
        folder=store.work(spec.key),
        cache=cache,
        resume=True,
        processes=processes,
    )


def _gate_scores(found: FitResult) -> GateScores | None:
    if found.gate is None:
        return None
    return GateScores(
        index=found.gate.index,
        label=found.gate.label.astype("uint8"),
        predicted=predict(found.gate.probability, found.threshold),
        probability=found.gate.probability,
    )


def _metrics(found: FitResult, gate: GateScores | None) -> dict[str, float]:
    metrics: dict[str, float] = {}
    if found.best_epoch >= 0:
        best = found.history[found.best_epoch]
        metrics |= {"select_f1": best.f1, "select_auc": best.auc}
    if gate is not None:
        confusion = Confusion.of(gate.label, gate.predicted)
        metrics |= {
            "precision": confusion.precision,
            "recall": confusion.recall,
            "balanced_accuracy": confusion.balanced_accuracy,
            "auc": auc(gate.label, gate.probability),
        }
    return metrics


def prepare(plugins: tuple[str, ...], threads: int) -> None:
    """Set the process up for one training: its threads, and the files that register features.

    Raises:
        UsageError: if a plugin cannot be imported.
    """
    set_up(threads, os.environ)
    import_plugins(plugins)


def print_to(path: Path) -> None:
    """Send what the process prints, C libraries included, to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)
