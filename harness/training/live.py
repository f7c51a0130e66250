"""The object behind the ``Run`` view: model, optimizer and everything the arm's slots chose."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from harness.errors import UsageError
from harness.graphs.batch import GraphBatch, collate
from harness.graphs.cutting import GIANT, cut
from harness.models import DataShape, call_model, make_model
from harness.training.alone import Alone
from harness.training.clipping import clip
from harness.training.configuration import configuration
from harness.training.defaults import (
    adam,
    check_groups,
    check_optimizer,
    cross_entropy,
    one_group,
)
from harness.training.rehearsal import rehearsal
from harness.training.schedules import make_schedule
from harness.training.sharing import size_of_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.feature import Feature
    from harness.graphs.dataset import PackedGraphs
    from harness.result import EpochRecord, FitSpec, Scores
    from harness.run import DataParallel, ParameterGroup, Schedule
    from harness.settings import TrainingSettings

_SEED_STRIDE = 1_000_003
_RANK_STRIDE = 1_000_000_000_039


class LiveRun:
    """One training run, built: each slot is asked once, in the order of what depends on what.

    Args:
        spec: what to train.

    Raises:
        UsageError: if what a slot gave cannot be used; names the feature.
    """

    def __init__(self, spec: FitSpec) -> None:
        self.spec = spec
        self.arm: tuple[Feature, ...] = tuple(feature.fresh() for feature in spec.arm)
        self.settings: TrainingSettings = spec.settings
        self.device = torch.device(spec.device)
        self.seed = spec.seed
        self.graphs: PackedGraphs = spec.graphs
        self.train: NDArray[np.int64] = spec.split.train
        self.folder: Path | None = None
        self.cache: Path | None = None
        self.epoch = 0
        self.step = 0
        self.batch: GraphBatch | None = None
        self.loss: torch.Tensor | None = None
        self.gradient_norm = torch.zeros((), device=self.device)
        self.history: list[EpochRecord] = []
        self.scores: Scores | None = None
        self.notes: list[str] = []
        self._wraps = self._with_hook("around_forward")
        self._batch_observers = tuple(reversed(self._with_hook("on_batch_end")))
        torch.manual_seed(spec.seed)
        self.model: nn.Module = make_model(spec.model, DataShape.of(spec.graphs)).to(self.device)
        self._build()
        self._say_which_graphs_exceed_the_nodes()

    def _say_which_graphs_exceed_the_nodes(self) -> None:
        most = self.settings.batch_nodes or self._alone
        if not most:
            return
        nodes = self.graphs.num_nodes
        larger = np.count_nonzero(nodes > most)
        if larger:
            self.say(
                f"{larger} of {len(nodes)} graphs have more than the {most} nodes of a batch, up "
                f"to {nodes.max()}: each of them makes a batch of its own"
            )

    def _build(self) -> None:
        ask = self._ask
        self.parallel: DataParallel = ask("data_parallel", lambda: None) or Alone()
        with self._blaming("data_parallel"):
            self._batch_size = size_of_share(self.settings, self.parallel.world)
        # Ranks take equal numbers of batches.
        self._alone = GIANT if self.parallel.world == 1 else 0
        self._call = self.parallel.forward(self.model)
        # One rank writes; and what one of them finds in a cache the others would wait for.
        self.folder = self.spec.folder if self.parallel.rank == 0 else None
        self.cache = self.spec.cache if self.parallel.world == 1 else None
        self.optimizer: torch.optim.Optimizer = self._make_optimizer()
        self.order: Callable[[int], NDArray[np.int64]] = ask("sampler", self.default_sampler)
        weights: torch.Tensor | None = ask("class_weights", lambda: None)
        self.class_weights = None if weights is None else weights.to(self.device)
        self.criterion: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = ask(
            "criterion", lambda: cross_entropy
        )
        self.scaler: torch.amp.GradScaler | None = ask("grad_scaler", lambda: None)
        self.window: int = ask("accumulation_window", lambda: 1)
        with self._blaming("accumulation_window"):
            if self.window < 1:
                raise UsageError(f"the window is {self.window}, which is below 1")
        self.set_learning_rate(self.settings.learning_rate)
        self.set_learning_rate(ask("learning_rate", lambda: self.settings.learning_rate))
        self.schedule: Schedule = ask("scheduler", self.default_schedule)

    def _make_optimizer(self) -> torch.optim.Optimizer:
        groups: Sequence[ParameterGroup] = self._ask(
            "parameter_groups", lambda: one_group(self.model)
        )
        with self._blaming("parameter_groups"):
            check_groups(groups, self.model)
        owner = self._owner("optimizer")
        made = owner.optimizer(self, groups) if owner else adam(groups, self.settings)
        with self._blaming("optimizer"):
            check_optimizer(made, groups)
        for group, wanted in zip(made.param_groups, groups, strict=True):
            group["name"], group["factor"] = wanted.name, wanted.factor
        return made

    def _ask(self, slot: str, default: Callable[[], Any]) -> Any:
        owner = self._owner(slot)
        return default() if owner is None else getattr(owner, slot)(self)

    @contextmanager
    def _blaming(self, slot: str) -> Iterator[None]:
        """Let errors over what a slot gave name the feature that owns it."""
        try:
            yield
        except UsageError as error:
            raise UsageError(
                f"slot '{slot}': {error.what}",
                where=str(self._owner(slot) or "the loop"),
                mend="mend that feature, or take it out of the arm",
            ) from error

    def _owner(self, slot: str) -> Feature | None:
        return next(iter(self._with_hook(slot)), None)

    def _with_hook(self, hook: str) -> tuple[Feature, ...]:
        return tuple(feature for feature in self.arm if hook in feature.hooks())

    # What features may call ----------------------------------------------------------------

    def configuration(self) -> dict[str, Any]:
        """What the run is, as plain values; two runs with the same one are the same run."""
        return configuration(self.spec)

    def say(self, note: str) -> None:
        """Keep a note for the user, once."""
        if note not in self.notes:
            self.notes.append(note)

    def batches(self, index: NDArray[np.int64]) -> Iterator[GraphBatch]:
        """Collate graphs in the order given, cut by the run's settings, on its device."""
        for begin, end in pairwise(self.bounds(index).tolist()):
            yield collate(self.graphs, index[begin:end]).to(self.device)

    def bounds(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where ``batches`` cuts graphs in the order given; ``[k + 1]`` for ``k`` batches."""
        nodes = self.graphs.node_ptr[index + 1] - self.graphs.node_ptr[index]
        return cut(nodes, self._batch_size, self.settings.batch_nodes, self._alone)

    def forward(self, batch: GraphBatch, model: nn.Module | None = None) -> torch.Tensor:
        """Logits ``[B, C]`` under the arm's forward wraps."""
        call = self._call if model is None else partial(call_model, model)
        if not self._wraps:
            return call(batch)
        with ExitStack() as stack:
            for feature in self._wraps:
                stack.enter_context(feature.around_forward(self))
            return call(batch)

    def windows(self, epoch: int) -> Iterator[tuple[Iterable[GraphBatch], int]]:
        """An epoch's training batches by optimizer step, each with its number of graphs.

        Batches are made as they are read: finish one window before the next.
        """
        order = self.parallel.share(self.order(epoch))
        batches = self.batches(order)
        ends = self.bounds(order)[: -1 : self.window].tolist()
        for begin, end in pairwise([*ends, len(order)]):
            yield islice(batches, self.window), end - begin

    def train_on(self, batches: Iterable[GraphBatch]) -> float:
        """Take one optimizer step on a window of batches and return its mean loss."""
        window = list(batches)
        self.train_window(window, sum(batch.num_graphs for batch in window))
        return float("nan") if self.loss is None else float(self.loss)

    def set_learning_rate(self, value: float) -> None:
        """Set every group's learning rate to ``value`` times its factor."""
        for group in self.optimizer.param_groups:
            group["lr"] = value * group["factor"]

    def rehearsal(self) -> AbstractContextManager[None]:
        """Train inside the block without lasting effect: everything is put back, to the bit."""
        return rehearsal(self)

    def default_sampler(self) -> Callable[[int], NDArray[np.int64]]:
        """Every training graph once an epoch, in an order drawn from (seed, epoch)."""

        def order(epoch: int) -> NDArray[np.int64]:
            return self.train[self.generator(epoch).permutation(len(self.train))]

        return order

    def default_schedule(self) -> Schedule:
        """The schedule that the settings name."""
        return make_schedule(self.settings.schedule, self.optimizer, self.settings.epochs)

    def generator(self, epoch: int) -> np.random.Generator:
        """Randomness of the data order: a function of (seed, epoch) and of nothing else."""
        return np.random.default_rng((self.seed, epoch))

    # What the loop calls -------------------------------------------------------------------

    def learning_rate(self) -> float:
        """The largest learning rate over the groups."""
        return max(float(group["lr"]) for group in self.optimizer.param_groups)

    def seed_epoch(self) -> None:
        """Give each epoch and rank a stream for dropout and the like, the same in both arms."""
        epoch = self.seed * _SEED_STRIDE + self.epoch + 1
        torch.manual_seed(epoch + _RANK_STRIDE * self.parallel.rank)

    def train_window(self, window: Iterable[GraphBatch], graphs: int) -> None:
        """Take one optimizer step on batches that hold ``graphs`` graphs in all, of this rank's.

        The loss is the mean over the graphs of the whole window, however it is cut into batches.
        """
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        pending: GraphBatch | None = None
        for batch in window:
            if pending is not None:
                self._observe(pending)
            loss = self._losses(batch).sum() / graphs
            torch.autograd.backward(loss if self.scaler is None else self.scaler.scale(loss))
            total += loss.detach()
            pending = batch
        self._update()
        self.loss = self.parallel.mean(total)
        if pending is not None:
            self._observe(pending)

    def _losses(self, batch: GraphBatch) -> torch.Tensor:
        losses = self.criterion(self.forward(batch).float(), batch.y)
        if self.class_weights is not None:
            losses = losses * self.class_weights[batch.y]
        return losses if batch.weight is None else losses * batch.weight

    def _update(self) -> None:
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        self.gradient_norm = clip(self.model.parameters(), self.settings.clip_norm)
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        self.step += 1

    def _observe(self, batch: GraphBatch) -> None:
        self.batch = batch
        for feature in self._batch_observers:
            feature.on_batch_end(self)

    @contextmanager
    def without_events(self) -> Iterator[None]:
        """Tell no feature of the batches inside the block."""
        observers, self._batch_observers = self._batch_observers, ()
        try:
            yield
        finally:
            self._batch_observers = observers

    def emit(self, event: str, *arguments: object) -> None:
        """Call an event of every feature that has it; those after a piece of work in reverse."""
        features = self._with_hook(event)
        for feature in features if event.endswith("_start") else reversed(features):
            getattr(feature, event)(self, *arguments)

    def model_to_evaluate(self) -> nn.Module:
        """The model that the epoch's evaluation reads."""
        model: nn.Module = self._ask("evaluation_model", lambda: self.model)
        return model
