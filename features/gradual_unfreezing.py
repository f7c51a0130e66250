"""Gradual unfreezing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PrivateAttr

from harness import Claim, Feature, UsageError, parts_of, register

if TYPE_CHECKING:
    from torch import nn

    from harness import Run

LOOKED_AT = 4
"""Graphs of the pass that finds the encoder's layers."""


@register
class GradualUnfreezing(Feature):
    """Train the head alone first, then one encoder layer more at a time, from the top down.

    Why: the gradients of a head that knows nothing yet would wash out what a pretrained encoder
    knows; layers near the input are the most general and change last. The first ``alone`` epochs
    train the head; from then on the topmost layer trains as well, and another one after every
    ``every`` epochs. The layers are the convolutions, each with what follows it, and below them
    what comes before the first, the embeddings. A frozen layer is constant: no gradient, so
    neither step, decay nor momentum, and its BatchNorm keeps and uses its running statistics.

    When it hurts: with an encoder that was not pretrained (see ``param_groups[pretrained=PATH]``)
    the head learns to read random features, and the encoder has fewer epochs to become useful.

    Known limitations: a run with fewer epochs than the schedule leaves lower layers frozen, and
    says so. An LR range test comes before the schedule and sees the whole model. Layers are told
    apart by their convolutions: a model without any thaws all at once.

    Source: Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification",
    ACL 2018; that frozen BatchNorm infers follows Keras's guide to transfer learning.
    """

    name: ClassVar[str] = "gradual_unfreezing"
    claim: ClassVar[Claim] = Claim.QUALITY

    alone: int = Field(1, ge=0, le=100_000, description="epochs in which only the head trains")
    every: int = Field(1, ge=1, le=100_000, description="epochs from one layer to the next")
    keep: int = Field(0, ge=0, le=1000, description="lowest layers that stay frozen to the end")

    _layers: tuple[tuple[str, ...], ...] = PrivateAttr(())
    _trainable: frozenset[str] = PrivateAttr(frozenset())

    def on_fit_start(self, run: Run) -> None:
        """Find the layers, and what of them was meant to train at all."""
        batch = next(iter(run.batches(run.train[:LOOKED_AT])))
        parts = parts_of(run.model, batch)
        if not parts.head:
            raise UsageError(
                "the model has no head that could train alone",
                where=str(self),
                mend="end it in a module that works on pooled graphs, or in a linear layer",
            )
        named = run.model.named_parameters()
        self._trainable = frozenset(name for name, each in named if each.requires_grad)
        self._layers = parts.layers
        left = self.frozen(run.settings.epochs - 1)
        thaw = [epoch for epoch in range(run.settings.epochs) if self.frozen(epoch) == left]
        run.say(
            f"gradual_unfreezing: {len(self._layers)} encoder layers, {left} of them frozen to the "
            f"end; what trains at all does so from epoch {thaw[0] + 1} of {run.settings.epochs}"
        )

    def frozen(self, epoch: int) -> int:
        """How many of the lowest layers are frozen in an epoch, counted from 0."""
        thawed = 0 if epoch < self.alone else 1 + (epoch - self.alone) // self.every
        return max(len(self._layers) - thawed, min(self.keep, len(self._layers)))

    def on_epoch_start(self, run: Run) -> None:
        """Freeze what the epoch's place in the schedule says, and nothing else."""
        names = {name for layer in self._layers[: self.frozen(run.epoch)] for name in layer}
        for name, parameter in run.model.named_parameters():
            parameter.requires_grad_(name in self._trainable and name not in names)
        hold_statistics(run.model, names)


def hold_statistics(model: nn.Module, names: set[str]) -> None:
    """Let norms whose running statistics are among ``names`` use them, and not the batch's.

    Modules of a model in training mode; the loop sets that mode anew in each epoch.
    """
    for name, module in model.named_modules():
        if f"{name}.running_mean" in names:
            module.eval()
