"""How long a trial takes: from stored trials, else from two epochs on a small part of the data."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.graphs.cutting import usual_graphs
from harness.graphs.splits import Split
from harness.matrix import locks
from harness.matrix.store import Store
from harness.matrix.timing import timed_settings
from harness.matrix.worker import to_fit
from harness.process import set_up
from harness.training.fit import FitSession, fit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.matrix.judge import Judge
    from harness.matrix.spec import TrialSpec
    from harness.result import FitSpec
    from harness.settings import TrainingSettings

BATCHES: Final = 4


@dataclass(frozen=True)
class Pace:
    """Seconds that training takes.

    Attributes:
        trial: of a whole trial.
        epoch: of one epoch with its evaluation.
        trials: stored trials that this is the median of; 0 if it was probed.
    """

    trial: float
    epoch: float
    trials: int = 0


def stored_paces(judge: Judge) -> dict[tuple[str, str, tuple[str, ...]], Pace]:
    """Paces of the plan's arms that the store has trials of, by (data, model, arm).

    Raises:
        StoreError: if a stored result is damaged.
    """
    found: dict[tuple[str, str, tuple[str, ...]], list[tuple[float, float]]] = {}
    for key, spec in judge.plan.trials.items():
        if judge.results.has(key):
            result = judge.results.result(key)
            seconds = result.wall_seconds, result.wall_seconds / max(result.epochs, 1)
            found.setdefault((spec.data, spec.model, spec.arm), []).append(seconds)
    return {
        where: Pace(
            statistics.median(trial for trial, _ in seconds),
            statistics.median(epoch for _, epoch in seconds),
            len(seconds),
        )
        for where, seconds in found.items()
    }


def probe_trial(spec: TrialSpec, folder: Path) -> Pace:
    """Probe a trial in this process, beside other trials but never beside timed blocks.

    Raises:
        HarnessError: if the data cannot be opened, or the arm cannot be trained.
    """
    set_up(spec.threads, os.environ)
    with tempfile.TemporaryDirectory(prefix="gnn-ablation-probe-") as scratch, locks.shared():
        return probe(to_fit(spec, folder, Store(Path(scratch))))


def probe(spec: FitSpec, clock: Callable[[], float] = time.perf_counter) -> Pace:
    """Train two epochs on a small part of the data; the second is scaled up to the whole.

    The time before the first batch is taken as it is, since it does not grow with the data: a
    range test of learning rates takes so many steps. A learning rate that later trials take from
    the cache makes them faster than this says.

    Args:
        spec: the trial; nothing of it is written.
        clock: wall seconds.
    """
    nodes = float(spec.graphs.num_nodes.mean())
    size = usual_graphs(nodes, spec.settings.batch_size, spec.settings.batch_nodes)
    most = round(BATCHES * size)
    label = spec.graphs.label
    part = Split(
        **{name: _spread(places, label, most) for name, places in vars(spec.split).items()}
    )
    small = replace(spec, split=part, folder=None, cache=None, resume=False, processes=1)
    if any("around_fit" in feature.hooks() for feature in spec.arm):
        return _probe_wrapped(spec, small, clock)
    settings = _with_epochs(spec.settings, max(spec.settings.epochs, 2))
    session = FitSession(replace(small, settings=settings), clock)
    session.run_epoch()
    train = session.run_epoch() * len(spec.split.train) / len(part.train)
    evaluation = session.run.history[-1].evaluation_seconds
    evaluation *= len(spec.split.select) / len(part.select)
    start = clock()
    session.finish()
    finish = (clock() - start) * len(spec.split.gate) / len(part.gate)
    epoch = train + evaluation
    return Pace(session.setup_seconds + spec.settings.epochs * epoch + finish, epoch)


def _probe_wrapped(spec: FitSpec, small: FitSpec, clock: Callable[[], float]) -> Pace:
    """Probe an arm that cannot be taken epoch by epoch, by whole fits of one and of two epochs.

    The first fit of all is not counted: it warms caches up.
    """
    seconds, evaluation = [0.0, 0.0, 0.0], 0.0
    for number, epochs in enumerate((1, 1, 2)):
        start = clock()
        found = fit(replace(small, settings=_with_epochs(spec.settings, epochs)))
        seconds[number] = clock() - start
        evaluation = sum(record.evaluation_seconds for record in found.history) / epochs
    once = max(2 * seconds[1] - seconds[2], 0.0)
    train = max((seconds[2] - once) / 2 - evaluation, 0.0)
    epoch = train * len(spec.split.train) / len(small.split.train)
    epoch += evaluation * len(spec.split.select) / len(small.split.select)
    return Pace(once + spec.settings.epochs * epoch, epoch)


def _with_epochs(settings: TrainingSettings, epochs: int) -> TrainingSettings:
    return timed_settings(settings).model_copy(update={"epochs": epochs})


def _spread(places: NDArray[np.int64], label: NDArray[np.int8], most: int) -> NDArray[np.int64]:
    """At most so many of the places, both classes in their proportion."""
    by_label = places[np.argsort(label[places], kind="stable")]
    chosen = np.unique(np.linspace(0, len(places) - 1, min(most, len(places))).astype(np.int64))
    return np.sort(by_label[chosen])
