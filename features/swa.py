"""Stochastic weight averaging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import Field, PrivateAttr
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import SWALR, AveragedModel

from harness import Claim, Feature, register

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness import GraphBatch, Run, Schedule


@register
class SWA(Feature):
    """Average the weights over the last epochs, at a rate of its own, and evaluate the average.

    Why: late weights wander around a wide minimum; their mean lies nearer to its middle. From
    ``start`` on the learning rate anneals to ``lr_factor`` times the run's and stays, and each
    epoch's weights enter the average. Until then the run's own schedule applies. BatchNorm
    statistics of the average are refreshed over the training graphs, each batch weighted by its
    nodes (torch's ``update_bn`` calls a model with one tensor, which no PyG model takes).

    When it hurts: in runs too short to have settled, where early weights spoil the mean.

    Known limitations: the refresh costs a forward pass over the training part each epoch from
    ``start`` on, only in models with BatchNorm. The refreshed mean of the first BatchNorm is that
    of all training nodes; its variance is the mean of the batches' variances, which leaves out
    how far their means lie apart, and later BatchNorms see what the first made of each batch.
    Features that own the schedule exclude this one.

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization",
    UAI 2018; torch.optim.swa_utils.
    """

    name: ClassVar[str] = "swa"
    claim: ClassVar[Claim] = Claim.QUALITY

    start: float = Field(0.75, ge=0, lt=1, description="share of the epochs before averaging")
    lr_factor: float = Field(0.5, gt=0, le=10, description="constant rate, as a share of the run's")
    anneal: int = Field(2, ge=0, le=1000, description="epochs to reach the constant rate")

    _average: AveragedModel | None = PrivateAttr(None)

    def first_epoch(self, run: Run) -> int:
        """The first epoch whose weights enter the average."""
        return int(self.start * run.settings.epochs)

    def on_fit_start(self, run: Run) -> None:
        """Make the empty average."""
        self._average = AveragedModel(run.model)

    def scheduler(self, run: Run) -> Schedule:
        """The run's own schedule, then the constant rate."""
        first = self.first_epoch(run)
        before = run.default_schedule()
        return ThenConstant(before, run.optimizer, first, self.lr_factor, self.anneal)

    def on_epoch_end(self, run: Run) -> None:
        """Let the epoch's weights into the average."""
        if self._average is not None and run.epoch >= self.first_epoch(run):
            self._average.update_parameters(run.model)

    def evaluation_model(self, run: Run) -> nn.Module:
        """The average, once it has begun."""
        if self._average is None or run.epoch < self.first_epoch(run):
            return run.model
        average: nn.Module = self._average.module
        refresh_statistics(average, run.batches(run.train), run)
        return average

    def state_dict(self) -> dict[str, Any]:
        """The average and the number of epochs in it."""
        return {} if self._average is None else {"average": self._average.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the average."""
        if self._average is not None and "average" in state:
            self._average.load_state_dict(state["average"])


class ThenConstant:
    """One schedule up to an epoch, torch's SWALR from there on."""

    def __init__(
        self, before: Schedule, optimizer: torch.optim.Optimizer, first: int, factor: float,
        anneal: int,
    ) -> None:  # fmt: skip
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        self._before, self._first, self._epochs = before, first, 0
        targets: Any = [factor * rate for rate in rates]  # one for each group
        self._swa = SWALR(optimizer, swa_lr=targets, anneal_epochs=anneal)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate  # a schedule of torch steps once when it is made

    def after_step(self) -> None:
        """Let the first schedule step while it applies."""
        if self._epochs < self._first:
            self._before.after_step()

    def after_epoch(self, metric: float) -> None:
        """Step whichever schedule applies."""
        self._epochs += 1
        if self._epochs < self._first:
            self._before.after_epoch(metric)
        else:
            self._swa.step()

    def state_dict(self) -> dict[str, Any]:
        """Both schedules and the epochs seen."""
        return {
            "before": self._before.state_dict(),
            "epochs": self._epochs,
            "swa": self._swa.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore both schedules."""
        self._before.load_state_dict(state["before"])
        self._epochs = state["epochs"]
        self._swa.load_state_dict(state["swa"])


def refresh_statistics(model: nn.Module, batches: Iterable[GraphBatch], run: Run) -> None:
    """Recompute BatchNorm's running statistics as means over batches weighted by their nodes.

    Does nothing in a model without BatchNorm. The model's mode, the momenta and torch's random
    generators are put back.
    """
    norms = [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
    ]
    if not norms:
        return
    momenta, training = [norm.momentum for norm in norms], model.training
    devices = [run.device] if run.device.type == "cuda" else []
    for norm in norms:
        norm.reset_running_stats()
    model.train()
    seen = 0
    with torch.no_grad(), torch.random.fork_rng(devices=devices):
        for batch in batches:
            nodes = len(batch.x)
            seen += nodes
            for norm in norms:
                norm.momentum = nodes / seen
            run.forward(batch, model)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(training)
