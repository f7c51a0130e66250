"""Distributed data parallel training."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from harness import Claim, Feature, UsageError, call_model, fit_in_ranks, register

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness import DataParallel, FitResult, FitSpec, GraphBatch, Run


@register
class DDP(Feature):
    """Train one model in several processes, each on its share of every batch.

    Why: a step takes as long as its largest share. The batch stays as large as the settings say:
    every process (rank) draws the same order of the whole training part, which follows (seed,
    epoch) alone, and trains the places [rank::ranks] of it. So the ranks' shares of a step are
    that batch of one process, whatever sampler the arm has; a weighted sampler that draws within
    a shard would leave whole epochs of a rank without a vulnerable graph. Gradients are averaged
    by DistributedDataParallel while the backward pass still runs; predictions of *select* and
    *gate* are gathered, so all ranks take the same decisions; times are those of the slowest.

    When it hurts: with small models the exchange of gradients takes longer than the share that is
    saved, and every trial pays for the start of its processes.

    Known limitations: the batch size must be a multiple of ``ranks``, and ``--batch-nodes`` cannot
    be combined with it. An epoch whose length is no multiple repeats its first graphs, fewer than
    there are ranks. Dropout differs from rank to rank, so results are those of another run of the
    same kind, not the bits of one process; without dropout they agree within rounding.
    BatchNorm's statistics are those of the whole batch with ``sync_batchnorm``. A window of
    grad_accumulation exchanges gradients after each of its batches. The LR range test is not
    cached. Every rank needs a core, or a GPU of its own. In a process that torchrun started, its
    ranks are taken as they are and ``ranks`` is not read; folders must then be on a file system
    that all nodes see.

    Source: Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training",
    VLDB 2020; torch.distributed.launcher.
    """

    name: ClassVar[str] = "ddp"
    claim: ClassVar[Claim] = Claim.SCALE
    order: ClassVar[int] = 1000  # innermost: every fit of an ensemble or a search is distributed

    ranks: int = Field(2, ge=1, le=1024, description="processes that train together")
    sync_batchnorm: bool = Field(
        default=True, description="BatchNorm sees the whole batch, not a rank's share of it"
    )

    find_unused: bool = Field(
        default=False, description="the model leaves some parameters without a gradient; slower"
    )

    def around_fit(self, fit: Callable[[FitSpec], FitResult], spec: FitSpec) -> FitResult:
        """Train in several processes and give what the first of them found."""
        try:
            return fit_in_ranks(fit, spec, self.ranks)
        except UsageError as error:
            raise UsageError(error.what, where=error.where or str(self), mend=error.mend) from error

    def data_parallel(self, run: Run) -> DataParallel | None:
        """This process's part in the group that it was started in, if it was."""
        if not distributed.is_initialized():
            return None
        return Ranks(run.device, sync_batchnorm=self.sync_batchnorm, find_unused=self.find_unused)


class Ranks:
    """A rank among those of ``torch.distributed``'s default group.

    Args:
        device: where tensors are exchanged.
        sync_batchnorm: whether BatchNorm's statistics are those of all ranks.
        find_unused: whether the model may leave parameters without a gradient.
    """

    def __init__(self, device: torch.device, *, sync_batchnorm: bool, find_unused: bool) -> None:
        self._device, self._sync, self._find_unused = device, sync_batchnorm, find_unused
        self.rank, self.world = distributed.get_rank(), distributed.get_world_size()

    def forward(self, model: nn.Module) -> Callable[[GraphBatch], torch.Tensor]:
        """The model's logits, with gradients that are averaged over ranks."""
        if self._sync and self._device.type == "cuda":
            nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        elif self._sync:
            synchronise_batchnorm(model)
        return Distributed(model, find_unused=self._find_unused)

    def share(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """``[ceil(m / world)]`` of the places ``[m]``; the first ones fill up what is missing."""
        length = -(-len(places) // self.world) * self.world
        return np.resize(places, length)[self.rank :: self.world]

    def gather(self, values: torch.Tensor, count: int) -> torch.Tensor:
        """``[count]`` values of all ranks, in the order that ``share`` took apart."""
        parts = [torch.empty_like(values) for _ in range(self.world)]
        distributed.all_gather(parts, values.contiguous())
        return torch.stack(parts, dim=1).flatten(0, 1)[:count]

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """The mean over ranks."""
        return _total(value) / self.world

    def slowest(self, seconds: float) -> float:
        """The most seconds of any rank."""
        most = torch.tensor(seconds, dtype=torch.float64, device=self._device)
        distributed.all_reduce(most, distributed.ReduceOp.MAX)
        return float(most)

    def settle(self, model: nn.Module) -> None:
        """Give every rank the first one's buffers, such as BatchNorm's running statistics."""
        for buffer in model.buffers():
            distributed.broadcast(buffer, src=0)


class Distributed:
    """A model under DistributedDataParallel, made anew when a feature freezes or frees parameters.

    Args:
        model: whose gradients are averaged over ranks.
        find_unused: whether it may leave parameters without a gradient.
    """

    def __init__(self, model: nn.Module, *, find_unused: bool) -> None:
        self._model, self._find_unused = model, find_unused
        self._trainable: list[bool] = []
        self._module: DistributedDataParallel | None = None

    def __call__(self, batch: GraphBatch) -> torch.Tensor:
        """Logits ``[B, C]``."""
        trainable = [parameter.requires_grad for parameter in self._model.parameters()]
        if self._module is None or trainable != self._trainable:
            self._module = None  # its hooks first
            self._module = DistributedDataParallel(
                Caller(self._model), find_unused_parameters=self._find_unused
            )
            self._trainable = trainable
        logits: torch.Tensor = self._module(batch)
        return logits


class Caller(nn.Module):
    """A model as a module of whole batches, as DistributedDataParallel calls it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: GraphBatch) -> torch.Tensor:
        """Logits ``[B, C]``."""
        return call_model(self.model, batch)


class SyncedBatchNorm(nn.BatchNorm1d):
    """BatchNorm over the rows of all ranks, off the GPU, where torch's SyncBatchNorm has none."""

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Normalise ``[N, H]``."""
        if not self.training:
            return super().forward(rows)
        count = _sum(rows.new_tensor(float(len(rows))))
        mean = _sum(rows.sum(0)) / count
        centred = rows - mean
        variance = _sum(centred.square().sum(0)) / count
        self._remember(mean.detach(), (variance * count / (count - 1).clamp(min=1)).detach())
        scaled = centred * torch.rsqrt(variance + self.eps)
        return scaled * self.weight + self.bias if self.affine else scaled

    def _remember(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        momentum = self.momentum
        if momentum is None:
            momentum = 1.0 / float(self.num_batches_tracked or 1)
        self.running_mean.lerp_(mean.to(self.running_mean), momentum)
        self.running_var.lerp_(variance.to(self.running_var), momentum)


class _Sum(torch.autograd.Function):
    """The sum over ranks; so is its gradient."""

    @staticmethod
    def forward(ctx: object, value: torch.Tensor) -> torch.Tensor:
        """Sum up."""
        del ctx
        return _total(value)

    @staticmethod
    def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:
        """What every rank's loss has to say of every rank's share."""
        del ctx
        return _total(gradient)


def _total(value: torch.Tensor) -> torch.Tensor:
    """The sum over ranks, without a gradient."""
    total = value.clone()
    distributed.all_reduce(total)
    return total


def _sum(value: torch.Tensor) -> torch.Tensor:
    total: torch.Tensor = _Sum.apply(value)  # type: ignore[no-untyped-call]
    return total


def synchronise_batchnorm(model: nn.Module) -> None:
    """Make every BatchNorm1d of a model a ``SyncedBatchNorm``; parameters and buffers stay."""
    for module in model.modules():
        if type(module) is nn.BatchNorm1d:
            module.__class__ = SyncedBatchNorm
