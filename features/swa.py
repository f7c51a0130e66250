"""Averages of weights: SWA, EMA and EWA."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import Field, PrivateAttr
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn
from torch_geometric.nn.norm import HeteroBatchNorm

from harness import Claim, Feature, UsageError, register

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness import GraphBatch, Run, Schedule


class Average(StrEnum):
    """Which weights are averaged, and how."""

    SWA = "swa"
    EMA = "ema"
    EWA = "ewa"


@register
class SWA(Feature):
    """Average the weights from ``start`` on, and evaluate the average.

    Why: late weights wander around a wide minimum; their mean lies nearer to its middle.
    ``average=swa`` is the plain mean of the epochs' last weights; meanwhile the learning rate
    anneals to ``lr_factor`` times the run's and stays, so that they wander. ``average=ema`` is the
    exponential moving average over optimizer steps, and ``average=ewa`` the exponentially weighted
    one over epochs; both leave the run's own schedule alone and forget what lies further back
    than ``window`` epochs. Either begins as a plain mean, so that no early weight sticks.
    The schedule ``plateau`` sees the scores of the average. BatchNorm statistics of the average
    are refreshed over the training graphs, each batch weighted by the nodes (or rows) that the
    layer saw, by type in a HeteroBatchNorm (torch's ``update_bn`` calls a model with one tensor,
    which no PyG model takes).

    When it hurts: in runs too short to have settled, where early weights spoil the mean; a
    smaller ``lr_factor`` then also takes away the little training that is left. There ``ema`` and
    ``ewa`` lose least, because they forget.

    Known limitations: the epoch is chosen by *select* F1 out of all, so a single epoch from
    before the average may be chosen, and the run is then that without the feature, to the bit.
    The best of many single epochs has luck on *select* that an average lacks, so where averaging
    begins late (0.75, as in the paper, is 3 epochs of 12) that happens often; hence half. Patience
    can end a run before it begins. The refresh costs a forward pass over the training part each
    epoch from ``start`` on, only in models with BatchNorm. The refreshed mean of the first
    BatchNorm is that of all training nodes; its variance is the mean of the batches' variances,
    which leaves out how far their means lie apart, and later BatchNorms see what the first made of
    each batch. Features that own the schedule exclude this one.

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization",
    UAI 2018; Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992;
    torch.optim.swa_utils.
    """

    name: ClassVar[str] = "swa"
    claim: ClassVar[Claim] = Claim.QUALITY

    average: Average = Field(
        Average.SWA,
        description="swa: mean of epochs; ema, ewa: exponential average of steps, of epochs",
    )
    start: float = Field(0.5, ge=0, lt=1, description="share of the epochs before averaging")
    window: float = Field(
        2.0, ge=1, le=100_000, description="epochs that ema and ewa look back over"
    )
    lr_factor: float = Field(
        1.0, gt=0, le=10, description="constant rate of swa, as a share of the run's"
    )
    anneal: int = Field(2, ge=0, le=1000, description="epochs of swa to reach the constant rate")

    _average: AveragedModel | None = PrivateAttr(None)
    _step: int = PrivateAttr(0)

    def first_epoch(self, run: Run) -> int:
        """The first epoch whose weights enter the average."""
        return int(self.start * run.settings.epochs)

    def on_fit_start(self, run: Run) -> None:
        """Make the empty average."""
        update = None if self.average is Average.SWA else partial(forgetting, self.length(run))
        self._average = AveragedModel(run.model, multi_avg_fn=update)

    def length(self, run: Run) -> float:
        """Weights that an exponential average looks back over: steps of ema, epochs of ewa."""
        steps = len(list(run.windows(0))) if self.average is Average.EMA else 1
        return self.window * steps

    def scheduler(self, run: Run) -> Schedule:
        """The run's own schedule, under swa with a constant rate after it."""
        before = run.default_schedule()
        if self.average is not Average.SWA:
            return before
        first = self.first_epoch(run)
        return ThenConstant(before, run.optimizer, first, self.lr_factor, self.anneal)

    def on_epoch_start(self, run: Run) -> None:
        """Note the steps taken so far."""
        self._step = run.step

    def on_batch_end(self, run: Run) -> None:
        """Let the weights of each optimizer step into the average, under ema."""
        if self.average is Average.EMA and run.step != self._step:
            self._step = run.step
            self._update(run)

    def on_epoch_end(self, run: Run) -> None:
        """Let the epoch's last weights into the average, under swa and ewa."""
        if self.average is not Average.EMA:
            self._update(run)

    def _update(self, run: Run) -> None:
        if run.epoch >= self.first_epoch(run):
            self.averaged.update_parameters(run.model)

    @property
    def averaged(self) -> AveragedModel:
        """The average, as empty as ``on_fit_start`` makes it or with weights in it.

        Raises:
            UsageError: before ``on_fit_start``.
        """
        if self._average is None:
            raise UsageError("no fit has started, so there is no average", where=str(self))
        return self._average

    def evaluation_model(self, run: Run) -> nn.Module:
        """The average, once it has begun."""
        if run.epoch < self.first_epoch(run):
            return run.model
        average: nn.Module = self.averaged.module
        refresh_statistics(average, run.batches(run.train), run)
        return average

    def state_dict(self) -> dict[str, Any]:
        """The average and the number of weights in it."""
        return {"average": self.averaged.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the average."""
        if "average" in state:
            self.averaged.load_state_dict(state["average"])


def forgetting(
    length: float, average: Sequence[torch.Tensor], current: Sequence[torch.Tensor], count: Any
) -> None:
    """Let weights into an average that looks back over ``length`` of them.

    It is a plain mean until ``length`` are in it, and exponential from there on.

    Args:
        length: 1 or above; the last weights have at least a share of ``1 / length``.
        average: changed in place.
        current: weights of the same shapes.
        count: weights in the average so far.
    """
    decay = min(1 - 1 / length, int(count) / (int(count) + 1))
    update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    update(list(average), list(current), count)


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
    """Recompute BatchNorm's running statistics as means over batches weighted by their rows.

    Rows are what the layer is given: nodes, and graphs after pooling. A HeteroBatchNorm weighs by
    the rows of each type. Does nothing in a model without BatchNorm. The model's mode, the momenta
    and torch's random generators are put back.
    """
    norms = [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm | HeteroBatchNorm) and module.track_running_stats
    ]
    if not norms:
        return
    momenta, training = [norm.momentum for norm in norms], model.training
    hooks = [norm.register_forward_pre_hook(RowWeights()) for norm in norms]
    devices = [run.device] if run.device.type == "cuda" else []
    for norm in norms:
        norm.reset_running_stats()
    model.train()
    with torch.no_grad(), torch.random.fork_rng(devices=devices):
        for batch in batches:
            run.forward(batch, model)
    for norm, momentum, hook in zip(norms, momenta, hooks, strict=True):
        norm.momentum = momentum
        hook.remove()
    model.train(training)


class RowWeights:
    """Sets a norm's momentum so that its statistics become means weighted by rows."""

    def __init__(self) -> None:
        self._seen: torch.Tensor | int = 0

    def __call__(self, norm: _BatchNorm | HeteroBatchNorm, given: tuple[torch.Tensor, ...]) -> None:
        """Set the momentum before a forward pass of ``[N, H]`` rows, or of rows and their types."""
        if isinstance(norm, HeteroBatchNorm):
            rows = given[1].bincount(minlength=norm.num_types)
        else:
            rows = torch.tensor([given[0].numel() // given[0].shape[1]])
        self._seen = self._seen + rows
        share = rows / self._seen
        # By type, the layer updates those that are there, in ascending order.
        norm.momentum = share[rows > 0, None] if len(share) > 1 else share.item()
