"""What a feature sees of a training run: a small view to read, not to change.

The training room builds the object behind this protocol; features and the harness meet here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from harness.feature import Feature
    from harness.graphs.batch import GraphBatch
    from harness.graphs.dataset import PackedGraphs
    from harness.result import EpochRecord, Scores
    from harness.settings import TrainingSettings


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share a learning rate and a weight decay.

    Attributes:
        name: shown in histories and on dashboards.
        parameters: each parameter of the model stands in exactly one group.
        factor: the group's learning rate is ``factor`` times the run's.
        weight_decay: of this group, or None for the run's.
    """

    name: str
    parameters: Sequence[nn.Parameter]
    factor: float = 1.0
    weight_decay: float | None = None


@runtime_checkable
class Schedule(Protocol):
    """A learning-rate schedule; either method may do nothing."""

    def after_step(self) -> None:
        """Called after each optimizer step."""

    def after_epoch(self, metric: float) -> None:
        """Called after each epoch's evaluation with the *select* F1."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values that restore the schedule."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore from ``state_dict()``."""


class DataParallel(Protocol):
    """How a process takes part in a run that several processes (ranks) train together.

    All ranks build the same run and take the same steps; every method but ``share`` is called by
    all of them at the same point. The first rank alone writes.
    """

    @property
    def rank(self) -> int:
        """This process's number, from 0."""

    @property
    def world(self) -> int:
        """How many processes there are."""

    def forward(self, model: nn.Module) -> Callable[[GraphBatch], torch.Tensor]:
        """Logits ``[B, C]`` for training, whose gradients become the means over ranks."""

    def share(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """This rank's ``[ceil(m / world)]`` of the places ``[m]``, as many for every rank."""

    def gather(self, values: torch.Tensor, count: int) -> torch.Tensor:
        """``[count]`` values of what ``share`` took apart, put together again, on every rank."""

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """The mean of a value over ranks."""

    def slowest(self, seconds: float) -> float:
        """The most seconds of any rank."""

    def settle(self, model: nn.Module) -> None:
        """Make what ranks hold beside parameters equal, before an evaluation."""


class Run(Protocol):
    """One training run, as its features see it."""

    @property
    def parallel(self) -> DataParallel:
        """How this process takes part in it; one that has the run to itself is rank 0 of 1."""

    @property
    def model(self) -> nn.Module:
        """The model in training."""

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The optimizer; each of its groups carries ``name`` and ``factor``."""

    @property
    def arm(self) -> tuple[Feature, ...]:
        """The features of the run, outermost wrap first."""

    @property
    def settings(self) -> TrainingSettings:
        """Epochs, batch size, clipping and the like."""

    @property
    def device(self) -> torch.device:
        """Where the model is."""

    @property
    def seed(self) -> int:
        """The seed of the run, and of its split."""

    @property
    def epoch(self) -> int:
        """The current epoch, from 0."""

    @property
    def step(self) -> int:
        """Optimizer steps taken so far."""

    @property
    def batch(self) -> GraphBatch | None:
        """The latest training batch."""

    @property
    def loss(self) -> torch.Tensor | None:
        """The mean loss of the latest window of batches, detached, on the device."""

    @property
    def graphs(self) -> PackedGraphs:
        """The whole data set."""

    @property
    def train(self) -> NDArray[np.int64]:
        """``[G_train]`` places of the training graphs; *gate* is not for features to see."""

    @property
    def history(self) -> Sequence[EpochRecord]:
        """One record for each finished epoch."""

    @property
    def scores(self) -> Scores | None:
        """Scores on *select* of the epoch that was evaluated last in this process."""

    @property
    def folder(self) -> Path | None:
        """Where a feature may write files, or None."""

    @property
    def cache(self) -> Path | None:
        """Where a feature may keep what other runs can use again, or None."""

    def configuration(self) -> dict[str, Any]:
        """What the run is, as plain values: model, arm, settings, seed, data hash."""

    def generator(self, epoch: int) -> np.random.Generator:
        """Randomness of the data order: a function of (seed, epoch) and of nothing else."""

    def say(self, note: str) -> None:
        """Tell the user something that the run decided; stored with the run."""

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Places of the graphs that an epoch draws, in order; of the sampler, if there is one."""

    def batches(self, index: NDArray[np.int64]) -> Iterator[GraphBatch]:
        """Collate graphs in the order given, cut by the run's settings, on its device.

        A batch holds ``batch_size`` graphs at most and, where that is set, ``batch_nodes`` nodes.
        """

    def forward(self, batch: GraphBatch, model: nn.Module | None = None) -> torch.Tensor:
        """Logits ``[B, C]`` under the arm's forward wraps; of another model of the same kind."""

    def windows(self, epoch: int) -> Iterator[tuple[Iterable[GraphBatch], int]]:
        """An epoch's training batches by optimizer step, each with its number of graphs.

        Batches are made as they are read: finish one window before the next.
        """

    def train_on(self, batches: Iterable[GraphBatch]) -> float:
        """Take one optimizer step on a window of batches and return its mean loss."""

    def set_learning_rate(self, value: float) -> None:
        """Set every group's learning rate to ``value`` times its factor."""

    def rehearsal(self) -> AbstractContextManager[None]:
        """Train inside the block without lasting effect: everything is put back, to the bit."""

    def default_sampler(self) -> Callable[[int], NDArray[np.int64]]:
        """The order that the loop uses where no feature owns the sampler."""

    def default_schedule(self) -> Schedule:
        """The schedule that the loop uses where no feature owns the scheduler."""
