"""TensorBoard."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from pydantic import Field, PrivateAttr
from tabulate import tabulate
from torch.utils.tensorboard import SummaryWriter

from harness import Claim, Feature, register, scalars_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from harness import EpochRecord, FitResult, Run, Scores

BINS = np.linspace(0, 1, 21)
"""Edges of the histogram of predicted probabilities."""
CELL, MARGIN = 100, 72
"""Pixels of the confusion matrix: a cell's side, and the room for words."""
CLASSES = ("safe", "vulnerable")
PLAIN = (bool, int, float, str)
"""Types of hyper-parameters."""


@register
class TensorBoard(Feature):
    """Write loss, metrics, gradients and predictions as TensorBoard event files.

    Why: curves of many runs side by side, while they train. For each epoch: scalars, the learning
    rate of each parameter group, the norm of each parameter's gradient (mean over the steps,
    clipped as the optimizer saw it), and on *select* the histogram of probabilities, the curve of
    precision over recall and a picture of the confusion matrix at the epoch's threshold. A text
    card says what the run is; at the end come its notes, and the hyper-parameters with the final
    metrics, so that runs can be sorted by them. Metrics are of *select*: *gate* is for the
    verdict, and a run is not to be chosen by it.

    When it hurts: measured on one busy core of an AMD EPYC, an epoch's evaluation takes 6 ms more
    and each step 0.2 ms, 1 to 2 % of an epoch of GraphSAGE (64 wide, batches of 64 graphs of 131
    nodes), and more of smaller models and data. Event files grow with ``every_steps`` set low.

    Known limitations: a run without a folder writes nothing; a resumed run opens a second event
    file in the same folder, which TensorBoard joins. With ``every_steps`` set, epochs between the
    last checkpoint and an interruption are shown twice.

    Source: torch.utils.tensorboard.
    """

    name: ClassVar[str] = "tensorboard"
    claim: ClassVar[Claim] = Claim.INSIGHT

    every_steps: int = Field(0, ge=0, description="also write the loss every so many steps; 0 not")

    _writer: SummaryWriter | None = PrivateAttr(None)
    _norms: torch.Tensor = PrivateAttr(default_factory=lambda: torch.zeros(()))
    _first_step: int = PrivateAttr(0)
    _step: int = PrivateAttr(0)

    def on_epoch_start(self, run: Run) -> None:
        """Open the event file, once it is known in which epoch the run begins."""
        self._open(run)
        self._norms, self._first_step, self._step = torch.zeros(()), run.step, run.step

    def on_batch_end(self, run: Run) -> None:
        """Add the step's gradient norms up, and write its loss where asked for."""
        if self._writer is None or run.step == self._step:
            return  # in the middle of a window gradients are those of a part of it
        self._step = run.step
        # Gradients that a scaler found infinite belong to steps that were not taken.
        norms = torch.stack(list(gradient_norms(run).values())).nan_to_num(0.0, 0.0, 0.0)
        self._norms = self._norms + norms
        if run.loss is not None and self.every_steps and run.step % self.every_steps == 0:
            self._writer.add_scalar("step/train_loss", float(run.loss), run.step)

    def on_evaluation_end(self, run: Run) -> None:
        """Write the epoch's scalars, curves and picture, through to the disk."""
        if self._writer is None:
            return
        record = run.history[-1]
        rates = {f"learning_rate/{each['name']}": each["lr"] for each in run.optimizer.param_groups}
        for tag, value in (scalars_of(record) | rates | self._mean_norms(run)).items():
            self._writer.add_scalar(tag, value, record.epoch)
        if run.scores is not None and np.isfinite(run.scores.probability).all():
            write_predictions(self._writer, run.scores, record)
        self._writer.flush()

    def on_fit_end(self, run: Run, result: FitResult) -> None:
        """Write notes, hyper-parameters and final metrics, and close the file."""
        writer = self._open(run)
        if writer is None:
            return
        writer.add_text("run/result", outcome(result), run.epoch)
        flat = hyper_parameters(run.configuration())
        writer.add_hparams(flat, final_metrics(result), run_name=".")
        writer.close()
        self._writer = None

    def _open(self, run: Run) -> SummaryWriter | None:
        if self._writer is None and run.folder is not None:
            # Hides what an interrupted process wrote after its last checkpoint. Steps and epochs
            # share one count there, so it is left out where steps are written; and from epoch 0
            # on it would hide the final metrics, which stand at step 0 of a file of their own.
            again = None if self.every_steps else run.epoch or None
            self._writer = SummaryWriter(str(run.folder / "tensorboard"), purge_step=again)
            self._writer.add_text("run/card", card(run), run.epoch)
        return self._writer

    def _mean_norms(self, run: Run) -> dict[str, float]:
        mean = (self._norms / max(run.step - self._first_step, 1)).tolist()
        return dict(zip(gradient_norms(run), mean, strict=True))


def write_predictions(writer: SummaryWriter, scores: Scores, record: EpochRecord) -> None:
    """Write an epoch's histogram of probabilities, precision-recall curve and confusion matrix."""
    epoch, probability = record.epoch, scores.probability
    writer.add_histogram("predictions/probability", probability, epoch, bins=BINS)
    writer.add_pr_curve("select/precision_recall", scores.label, probability, epoch)
    drawn = picture(confusion(scores, record.threshold))
    writer.add_image("select/confusion", drawn, epoch, dataformats="HWC")


def gradient_norms(run: Run) -> dict[str, torch.Tensor]:
    """The norm of each parameter's gradient by its tag."""
    named = run.model.named_parameters()
    return {f"gradient_norm/{name}": norm_of(parameter) for name, parameter in named}


def norm_of(parameter: nn.Parameter) -> torch.Tensor:
    """The norm of a parameter's gradient, 0 where there is none."""
    if parameter.grad is None:
        return parameter.new_zeros(())
    norm: torch.Tensor = torch.linalg.vector_norm(parameter.grad)
    return norm


def confusion(scores: Scores, threshold: float) -> NDArray[np.int64]:
    """Graphs ``[2, 2]`` by truth (rows) and prediction (columns), safe first."""
    cell = 2 * scores.label + (scores.probability >= threshold)
    return np.bincount(cell, minlength=4).reshape(2, 2)


def picture(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Draw a confusion matrix ``[2, 2]`` as an image ``[H, W, 3]``; shades are shares of a row."""
    side = MARGIN + 2 * CELL
    image = Image.new("RGB", (side, side), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    for truth, said in product(range(2), range(2)):
        left, top = MARGIN + said * CELL, MARGIN + truth * CELL
        depth = round(200 * share[truth, said])
        shade = 255 - depth, 255 - depth // 2, 255
        draw.rectangle((left, top, left + CELL - 2, top + CELL - 2), shade)
        text = f"{counts[truth, said]}\n{share[truth, said]:.0%}"
        at = left + CELL // 2, top + CELL // 2
        draw.text(at, text, fill="black", font=font, anchor="mm", align="center")
    for place, word in enumerate(CLASSES):
        middle = MARGIN + place * CELL + CELL // 2
        draw.text((middle, MARGIN // 2), f"said\n{word}", "black", font, "mm", align="center")
        draw.text((MARGIN // 2, middle), f"is\n{word}", "black", font, "mm", align="center")
    return np.asarray(image)


def card(run: Run) -> str:
    """What the run is, in Markdown: data, what each feature does, model and settings."""
    about, info = run.configuration(), run.graphs.info
    label = run.graphs.label[run.train]
    weights = sum(each.numel() for each in run.model.parameters())
    share = f"{len(label):,} training graphs, {label.mean():.1%} vulnerable, seed {run.seed}"
    values = {**about["model_values"], "weights": weights, **about["settings"]}
    return "\n\n".join(
        [
            f"**{about['model']} on {info.name}**: {share}, content {run.graphs.content[:12]}",
            *info.notes,
            *(f"**{each}** {each.card().splitlines()[0]}" for each in run.arm),
            tabulate(values.items(), ("value", about["model"]), "pipe"),
        ]
    )


def outcome(result: FitResult) -> str:
    """How the run ended, in Markdown: a collapse, the chosen epoch, and what the run said."""
    ended = [] if result.collapse is None else [f"**collapsed** {result.collapse.detail}"]
    chosen = f"epoch {result.best_epoch} chosen on select, threshold {result.threshold:.3f}"
    return "\n\n".join([*ended, chosen, *result.notes])


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
    flat = {"model": configuration["model"], "arm": "+".join(configuration["arm"])}
    flat |= {"seed": configuration["seed"], "data_name": configuration["data_name"]}
    flat |= {f"model_values.{key}": value for key, value in configuration["model_values"].items()}
    flat |= {f"settings.{key}": value for key, value in configuration["settings"].items()}
    return {key: value if isinstance(value, PLAIN) else str(value) for key, value in flat.items()}
