"""The fit: epochs of training, evaluation, choice of the epoch, and one reading of *gate*."""

from __future__ import annotations

import copy
import os
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from harness.errors import UsageError
from harness.result import EpochRecord, FitResult
from harness.training import checkpoint, collapse, diagnostics, history
from harness.training.best import Best
from harness.training.configuration import metadata
from harness.training.deterministic import make_deterministic
from harness.training.evaluate import score, select_metrics
from harness.training.live import LiveRun

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from harness.result import Collapse, FitSpec


def fit(spec: FitSpec, on_epoch: Callable[[EpochRecord], None] | None = None) -> FitResult:
    """Train as the spec says, inside the arm's ``around_fit`` wraps, the first outermost.

    On the CPU with one thread the result is a function of the spec: same bits every time, whether
    or not the run was interrupted and resumed.

    Args:
        spec: what to train.
        on_epoch: called after each epoch's evaluation, for progress.

    Raises:
        UsageError: if the arm cannot be trained as it is.
        DataError: if ``spec.resume`` finds a checkpoint of another run.
        OSError: if the folder cannot be written.
    """
    call: Callable[[FitSpec], FitResult] = partial(_fit_once, on_epoch=_TellHere(on_epoch))
    for feature in reversed(spec.arm):
        if "around_fit" in feature.hooks():
            call = partial(feature.fresh().around_fit, call)
    return call(spec)


@dataclass(frozen=True)
class _TellHere:
    """Tells of epochs in this process, and not in those that a wrap starts."""

    tell: Callable[[EpochRecord], None] | None
    here: int = field(default_factory=os.getpid)

    def __call__(self, record: EpochRecord) -> None:
        if self.tell is not None and os.getpid() == self.here:
            self.tell(record)

    def __reduce__(self) -> tuple[type[_TellHere], tuple[None]]:
        return _TellHere, (None,)


def _fit_once(spec: FitSpec, on_epoch: Callable[[EpochRecord], None]) -> FitResult:
    session = FitSession(spec)
    while not session.ended:
        session.run_epoch()
        on_epoch(session.run.history[-1])
    return session.finish()


class FitSession:
    """A fit that can be taken epoch by epoch, as the timed blocks do.

    Args:
        spec: what to train; where it says so, the last checkpoint is restored.
        clock: wall seconds; read with the device synchronised.
    """

    def __init__(self, spec: FitSpec, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        start = clock()
        if spec.settings.deterministic:
            make_deterministic(torch.device(spec.device), os.environ)
        self.run = LiveRun(spec)
        self._best = Best()
        self._stop: Collapse | None = None
        self._train_seconds: list[float] = []
        self.run.emit("on_fit_start")
        self._setup_seconds = self.run.parallel.slowest(self._stamp() - start)
        self._origin = {} if self.run.folder is None else metadata(spec)
        last = None if spec.folder is None else spec.folder / checkpoint.LAST
        if spec.resume and last is not None and last.exists():
            times = checkpoint.restore(self.run, self._best, last)
            self._train_seconds = times["train"]
            self._setup_seconds = times["setup"]
            self._stop = collapse.while_training(self.run.history, self.run.settings.warmup_epochs)

    @property
    def setup_seconds(self) -> float:
        """Wall seconds from nothing to the first batch, the arm's own preparations included."""
        return self._setup_seconds

    @property
    def ended(self) -> bool:
        """Whether the epochs are done, the run collapsed, or patience ran out."""
        run = self.run
        patience = run.settings.patience
        waited = len(run.history) - 1 - self._best.epoch
        return (
            run.epoch >= run.settings.epochs
            or self._stop is not None
            or bool(patience and run.history and waited >= patience)
        )

    def run_epoch(self) -> float:
        """Train and evaluate one epoch; returns its training seconds, evaluation excluded."""
        run = self.run
        start = self._stamp()
        totals = self._train()
        run.emit("on_epoch_end")
        run.parallel.settle(run.model)
        model = run.model_to_evaluate()
        trained = self._stamp()
        scores = score(run, model, run.spec.split.select)
        evaluated = self._stamp()
        record = EpochRecord(
            epoch=run.epoch,
            **totals,
            **select_metrics(scores),
            train_seconds=run.parallel.slowest(trained - start),
            evaluation_seconds=run.parallel.slowest(evaluated - trained),
        )
        run.history.append(record)
        run.scores = scores
        self._stop = collapse.while_training(run.history, run.settings.warmup_epochs)
        improved = self._best.offer(record, model)
        run.emit("on_evaluation_end")
        run.schedule.after_epoch(record.f1)
        self._train_seconds.append(self._stamp() - evaluated + trained - start)
        self._keep(improved=improved)
        spent = self._stamp() - evaluated + trained - start
        self._train_seconds[-1] = run.parallel.slowest(spent)
        run.epoch += 1
        return self._train_seconds[-1]

    def _train(self) -> dict[str, Any]:
        run, settings = self.run, self.run.settings
        run.seed_epoch()
        run.model.train()
        run.emit("on_epoch_start")
        learning_rate = run.learning_rate()
        loss, norm, finite, clipped = (torch.zeros((), device=run.device) for _ in range(4))
        first, graphs = run.step, 0
        for window, count in run.windows(run.epoch):
            run.train_window(window, count)
            if run.loss is not None:
                loss += run.loss * count
            # Steps that a gradient scaler skipped have no norm to speak of.
            usable = run.gradient_norm.isfinite()
            norm += torch.where(usable, run.gradient_norm, 0.0)
            finite += usable
            clipped += run.gradient_norm > settings.clip_norm
            graphs += count
            run.schedule.after_step()
        steps = run.step - first
        return {
            "train_loss": float(loss) / max(graphs, 1),
            "learning_rate": learning_rate,
            "gradient_norm": float(norm) / max(float(finite), 1.0),
            "clipped_steps": int(clipped) if settings.clip_norm else 0,
            "steps": steps,
        }

    def _keep(self, *, improved: bool) -> None:
        run, folder = self.run, self.run.folder
        every = run.settings.checkpoint_every
        if folder is None or not every:
            return
        if improved:
            checkpoint.save_best(self._best, folder, self._origin)
        if (run.epoch + 1) % every == 0 or run.epoch + 1 == run.settings.epochs:
            times = {"train": self._train_seconds, "setup": self._setup_seconds}
            checkpoint.save_last(run, self._best, folder, times, self._origin)
            history.write_history(folder / history.FILE_NAME, run.history)

    def finish(self) -> FitResult:
        """Read *gate* with the chosen epoch's weights, once, and report."""
        run, best = self.run, self._best
        start = self._stamp()
        select = gate = None
        threshold, found = 0.5, self._stop
        evaluation = 0.0
        if best.record is not None and (found is None or found.rule != "not_finite"):
            threshold = best.record.threshold
            model = self._chosen_model()
            before = self._stamp()
            select = score(run, model, run.spec.split.select)
            gate = score(run, model, run.spec.split.gate)
            evaluation = self._stamp() - before
            found = found or collapse.judge_gate(gate, threshold, best.epoch)
        result = FitResult(
            history=tuple(run.history),
            best_epoch=best.epoch,
            threshold=threshold,
            select=select,
            gate=gate,
            collapse=found,
            notes=tuple(run.notes),
            train_seconds=tuple(self._train_seconds),
            setup_seconds=self._setup_seconds,
            state=best.state,
        )
        run.emit("on_fit_end", result)
        if run.folder is not None:
            history.write_history(run.folder / history.FILE_NAME, run.history)
            if found is not None:
                diagnostics.write(diagnostics.diagnose(run, result), run.folder)
        seconds = run.parallel.slowest(self._stamp() - start - evaluation)
        return replace(result, finish_seconds=seconds)

    def _chosen_model(self) -> nn.Module:
        model = copy.deepcopy(self.run.model)
        try:
            model.load_state_dict(self._best.state)
        except RuntimeError as error:
            raise UsageError(
                f"the evaluation model has other weights than the model: {error}",
                where="+".join(map(str, self.run.arm)),
                mend="evaluation_model must return a module with the state_dict of run.model",
            ) from error
        return model

    def _stamp(self) -> float:
        if self.run.device.type == "cuda":
            torch.cuda.synchronize(self.run.device)
        return self._clock()
