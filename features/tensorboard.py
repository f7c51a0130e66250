"""TensorBoard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PrivateAttr
from torch.utils.tensorboard import SummaryWriter

from harness import Claim, Feature, register

if TYPE_CHECKING:
    from harness import FitResult, Run


@register
class TensorBoard(Feature):
    """Write loss, metrics, learning rates and predictions as TensorBoard event files.

    Why: curves of many runs side by side, while they train. Scalars per epoch, the learning rate
    of each parameter group, a histogram of the predicted probabilities on *select*, and at the
    end the hyper-parameters with the final metrics, so that runs can be sorted by them.

    When it hurts: the writer's thread competes with training on a machine with few cores, and
    event files grow with ``every_steps`` set low.

    Known limitations: a run without a folder writes nothing; a resumed run opens a second event
    file in the same folder, which TensorBoard joins.

    Source: torch.utils.tensorboard.
    """

    name: ClassVar[str] = "tensorboard"
    claim: ClassVar[Claim] = Claim.INSIGHT

    every_steps: int = Field(0, ge=0, description="also write the loss every so many steps; 0 not")

    _writer: SummaryWriter | None = PrivateAttr(None)

    def on_fit_start(self, run: Run) -> None:
        """Open the event file."""
        if run.folder is not None:
            self._writer = SummaryWriter(str(run.folder / "tensorboard"))

    def on_batch_end(self, run: Run) -> None:
        """Write the loss of the step, where asked for."""
        if self._writer and self.every_steps and run.step % self.every_steps == 0:
            if run.loss is not None:
                self._writer.add_scalar("step/train_loss", float(run.loss), run.step)

    def on_evaluation_end(self, run: Run) -> None:
        """Write the epoch's scalars and its prediction distribution."""
        if self._writer is None:
            return
        record = run.history[-1]
        scalars = {
            "loss/train": record.train_loss,
            "loss/select": record.select_loss,
            "select/f1": record.f1,
            "select/precision": record.precision,
            "select/recall": record.recall,
            "select/balanced_accuracy": record.balanced_accuracy,
            "select/auc": record.auc,
            "select/threshold": record.threshold,
            "gradient/norm": record.gradient_norm,
            "predictions/vulnerable": record.predicted_vulnerable,
            "seconds/train": record.train_seconds,
        }
        for tag, value in scalars.items():
            self._writer.add_scalar(tag, value, record.epoch)
        for group in run.optimizer.param_groups:
            self._writer.add_scalar(f"learning_rate/{group['name']}", group["lr"], record.epoch)

    def on_fit_end(self, run: Run, result: FitResult) -> None:
        """Write probabilities, hyper-parameters and final metrics, and close the file."""
        if self._writer is None:
            return
        metrics: dict[str, float] = {"final/best_epoch": result.best_epoch}
        if result.select is not None and result.best_epoch >= 0:
            best = result.history[result.best_epoch]
            metrics |= {"final/select_f1": best.f1, "final/select_auc": best.auc}
            self._writer.add_histogram(
                "predictions/probability", result.select.probability, result.best_epoch
            )
        self._writer.add_hparams(hyper_parameters(run.configuration()), metrics, run_name=".")
        self._writer.close()
        self._writer = None


def hyper_parameters(configuration: dict[str, Any]) -> dict[str, bool | int | float | str]:
    """Flatten a configuration to what TensorBoard takes as hyper-parameters."""
    flat: dict[str, bool | int | float | str] = {"arm": "+".join(configuration["arm"])}
    for key in ("model", "seed", "data_name"):
        flat[key] = configuration[key]
    for part in ("model_values", "settings"):
        flat |= {f"{part}.{key}": value for key, value in configuration[part].items()}
    return flat
