"""TensorBoard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field, PrivateAttr
from torch.utils.tensorboard import SummaryWriter

from harness import Claim, Feature, register

if TYPE_CHECKING:
    from harness import EpochRecord, FitResult, Run

BINS = np.linspace(0, 1, 21)
"""Edges of the histogram of predicted probabilities."""


@register
class TensorBoard(Feature):
    """Write loss, metrics, learning rates and predictions as TensorBoard event files.

    Why: curves of many runs side by side, while they train. Scalars per epoch, the learning rate
    of each parameter group, a histogram of the predicted probabilities on *select*, and at the
    end the hyper-parameters with the final metrics, so that runs can be sorted by them. Metrics
    are of *select*: *gate* is for the verdict, and a run is not to be chosen by it.

    When it hurts: the writer's thread competes with training on a machine with few cores, and
    event files grow with ``every_steps`` set low.

    Known limitations: a run without a folder writes nothing; a resumed run opens a second event
    file in the same folder, which TensorBoard joins. With ``every_steps`` set, epochs between the
    last checkpoint and an interruption are shown twice.

    Source: torch.utils.tensorboard.
    """

    name: ClassVar[str] = "tensorboard"
    claim: ClassVar[Claim] = Claim.INSIGHT

    every_steps: int = Field(0, ge=0, description="also write the loss every so many steps; 0 not")

    _writer: SummaryWriter | None = PrivateAttr(None)

    def on_epoch_start(self, run: Run) -> None:
        """Open the event file, once it is known in which epoch the run begins."""
        self._open(run)

    def on_batch_end(self, run: Run) -> None:
        """Write the loss of the step, where asked for."""
        due = self.every_steps and run.step and run.step % self.every_steps == 0
        if self._writer and due and run.loss is not None:
            self._writer.add_scalar("step/train_loss", float(run.loss), run.step)

    def on_evaluation_end(self, run: Run) -> None:
        """Write the epoch's scalars and its prediction distribution, through to the disk."""
        if self._writer is None:
            return
        record = run.history[-1]
        for tag, value in scalars(record).items():
            self._writer.add_scalar(tag, value, record.epoch)
        for group in run.optimizer.param_groups:
            self._writer.add_scalar(f"learning_rate/{group['name']}", group["lr"], record.epoch)
        probability = np.empty(0) if run.scores is None else run.scores.probability
        if len(probability) and np.isfinite(probability).all():
            self._writer.add_histogram(
                "predictions/probability", probability, record.epoch, bins=BINS
            )
        self._writer.flush()

    def on_fit_end(self, run: Run, result: FitResult) -> None:
        """Write hyper-parameters and final metrics, and close the file."""
        writer = self._open(run)
        if writer is None:
            return
        flat = hyper_parameters(run.configuration())
        writer.add_hparams(flat, final_metrics(result), run_name=".")
        writer.close()
        self._writer = None

    def _open(self, run: Run) -> SummaryWriter | None:
        if self._writer is None and run.folder is not None:
            # Hides what an interrupted process wrote after its last checkpoint. Steps and epochs
            # share one count there, so it is left out where steps are written.
            again = run.epoch if run.epoch and not self.every_steps else None
            self._writer = SummaryWriter(str(run.folder / "tensorboard"), purge_step=again)
        return self._writer


def scalars(record: EpochRecord) -> dict[str, float]:
    """The tags of an epoch and their values."""
    return {
        "loss/train": record.train_loss,
        "loss/select": record.select_loss,
        "select/f1": record.f1,
        "select/precision": record.precision,
        "select/recall": record.recall,
        "select/balanced_accuracy": record.balanced_accuracy,
        "select/auc": record.auc,
        "select/threshold": record.threshold,
        "gradient/norm": record.gradient_norm,
        "gradient/clipped_steps": record.clipped_steps,
        "predictions/safe": record.predicted_safe,
        "predictions/vulnerable": record.predicted_vulnerable,
        "seconds/train": record.train_seconds,
        "seconds/evaluation": record.evaluation_seconds,
    }


def final_metrics(result: FitResult) -> dict[str, float]:
    """What runs are sorted by: the chosen epoch's metrics on *select*, and whether it collapsed."""
    metrics: dict[str, float] = {
        "final/best_epoch": result.best_epoch,
        "final/collapsed": float(result.collapse is not None),
    }
    if result.best_epoch >= 0:
        best = result.history[result.best_epoch]
        names = ("select_loss", "f1", "precision", "recall", "balanced_accuracy", "auc")
        metrics |= {f"final/{name}": getattr(best, name) for name in names}
    return metrics


def hyper_parameters(configuration: dict[str, Any]) -> dict[str, bool | int | float | str]:
    """Flatten a configuration to what TensorBoard takes as hyper-parameters."""
    flat: dict[str, Any] = {"arm": "+".join(configuration["arm"])}
    for key in ("model", "seed", "data_name"):
        flat[key] = configuration[key]
    for part in ("model_values", "settings"):
        flat |= {f"{part}.{key}": value for key, value in configuration[part].items()}
    plain = (bool, int, float, str)
    return {key: value if isinstance(value, plain) else str(value) for key, value in flat.items()}
