"""The object behind the ``Run`` view: model, optimizer and everything the arm's slots chose."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from harness.errors import UsageError
from harness.graphs.batch import GraphBatch, collate
from harness.models import DataShape, call_model, make_model
from harness.run import ParameterGroup
from harness.training.configuration import configuration
from harness.training.schedules import make_schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.feature import Feature
    from harness.graphs.dataset import PackedGraphs
    from harness.result import EpochRecord, FitSpec
    from harness.run import Schedule
    from harness.settings import TrainingSettings

_SEED_STRIDE = 1_000_003


class LiveRun:
    """One training run, built: each slot is asked once, in the order of what depends on what.

    Args:
        spec: what to train.

    Raises:
        UsageError: if the arm's parameter groups leave a parameter out or name one twice.
    """

    def __init__(self, spec: FitSpec) -> None:
        self.spec = spec
        self.arm: tuple[Feature, ...] = tuple(feature.fresh() for feature in spec.arm)
        self.settings: TrainingSettings = spec.settings
        self.device = torch.device(spec.device)
        self.seed = spec.seed
        self.graphs: PackedGraphs = spec.graphs
        self.train: NDArray[np.int64] = spec.split.train
        self.folder: Path | None = spec.folder
        self.cache: Path | None = spec.cache
        self.epoch = 0
        self.step = 0
        self.clipped_steps = 0
        self.batch: GraphBatch | None = None
        self.loss: torch.Tensor | None = None
        self.gradient_norm = torch.zeros((), device=self.device)
        self.history: list[EpochRecord] = []
        self.notes: list[str] = []
        self._wraps = self._with_hook("around_forward")
        self._batch_observers = tuple(reversed(self._with_hook("on_batch_end")))
        torch.manual_seed(spec.seed)
        self.model: nn.Module = make_model(spec.model, DataShape.of(spec.graphs)).to(self.device)
        self._build()

    def _build(self) -> None:
        owner = self._owner
        groups = owner("parameter_groups")(self) if owner("parameter_groups") else self._one_group()
        _check_groups(groups, self.model)
        make = owner("optimizer")
        self.optimizer: torch.optim.Optimizer = (
            make(self, groups) if make else _adam(groups, self.settings)
        )
        for group, wanted in zip(self.optimizer.param_groups, groups, strict=True):
            group["name"], group["factor"] = wanted.name, wanted.factor
        make = owner("class_weights")
        self.class_weights = make(self).to(self.device) if make else None
        make = owner("criterion")
        self.criterion: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = (
            make(self) if make else cross_entropy
        )
        make = owner("sampler")
        self.order: Callable[[int], NDArray[np.int64]] = (
            make(self) if make else self.default_sampler()
        )
        make = owner("grad_scaler")
        self.scaler: torch.amp.GradScaler | None = make(self) if make else None
        self.set_learning_rate(self.settings.learning_rate)
        make = owner("learning_rate")
        if make:
            self.set_learning_rate(make(self))
        make = owner("scheduler")
        self.schedule: Schedule = make(self) if make else self.default_schedule()
        make = owner("accumulation_window")
        self.window: int = make(self) if make else 1

    def _owner(self, slot: str) -> Callable[..., Any] | None:
        for feature in self._with_hook(slot):
            return getattr(feature, slot)  # type: ignore[no-any-return]
        return None

    def _with_hook(self, hook: str) -> tuple[Feature, ...]:
        return tuple(feature for feature in self.arm if hook in feature.hooks())

    def _one_group(self) -> list[ParameterGroup]:
        return [ParameterGroup("all", list(self.model.parameters()))]

    # What features may call ----------------------------------------------------------------

    def configuration(self) -> dict[str, Any]:
        """What the run is, as plain values; two runs with the same one are the same run."""
        return configuration(self.spec)

    def say(self, note: str) -> None:
        """Keep a note for the user, once."""
        if note not in self.notes:
            self.notes.append(note)

    def batches(self, index: NDArray[np.int64]) -> Iterator[GraphBatch]:
        """Collate graphs in the order given, by the run's batch size, on its device."""
        for start in range(0, len(index), self.settings.batch_size):
            part = index[start : start + self.settings.batch_size]
            yield collate(self.graphs, part).to(self.device)

    def forward(self, batch: GraphBatch, model: nn.Module | None = None) -> torch.Tensor:
        """Logits ``[B, C]`` under the arm's forward wraps."""
        model = self.model if model is None else model
        if not self._wraps:
            return call_model(model, batch)
        with ExitStack() as stack:
            for feature in self._wraps:
                stack.enter_context(feature.around_forward(self))
            return call_model(model, batch)

    def train_on(self, batches: Iterable[GraphBatch]) -> float:
        """Take one optimizer step on a window of batches and return its mean loss."""
        window = list(batches)
        self.train_window(window, sum(batch.num_graphs for batch in window))
        return float("nan") if self.loss is None else float(self.loss)

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

    def set_learning_rate(self, value: float) -> None:
        """Set every group's learning rate to ``value`` times its factor."""
        for group in self.optimizer.param_groups:
            group["lr"] = value * group["factor"]

    def learning_rate(self) -> float:
        """The largest learning rate over the groups."""
        return max(float(group["lr"]) for group in self.optimizer.param_groups)

    def seed_epoch(self) -> None:
        """Give each epoch its own stream for dropout and the like, the same in both arms."""
        torch.manual_seed(self.seed * _SEED_STRIDE + self.epoch + 1)

    def train_window(self, window: Iterable[GraphBatch], graphs: int) -> None:
        """Take one optimizer step on batches that hold ``graphs`` graphs in all.

        The loss is the mean over the graphs of the whole window, however it is cut into batches.
        """
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        pending: GraphBatch | None = None
        for batch in window:
            if pending is not None:
                self._observe(pending)
            loss = self._losses(batch).sum() / graphs
            (loss if self.scaler is None else self.scaler.scale(loss)).backward()
            total += loss.detach()
            pending = batch
        self._update()
        self.loss = total
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
        limit = self.settings.clip_norm
        if limit:
            norm = nn.utils.clip_grad_norm_(self.model.parameters(), limit)
            self.gradient_norm = norm
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

    def emit(self, event: str, *arguments: object) -> None:
        """Call an event of every feature that has it; those after a piece of work in reverse."""
        features = self._with_hook(event)
        for feature in features if event.endswith("_start") else reversed(features):
            getattr(feature, event)(self, *arguments)

    def model_to_evaluate(self) -> nn.Module:
        """The model that the epoch's evaluation reads."""
        make = self._owner("evaluation_model")
        model: nn.Module = make(self) if make else self.model
        return model


def cross_entropy(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Cross entropy of each graph: ``[B, C]``, ``[B]`` -> ``[B]``."""
    return functional.cross_entropy(logits, label, reduction="none")


def _adam(groups: Iterable[ParameterGroup], settings: TrainingSettings) -> torch.optim.Optimizer:
    decay = settings.weight_decay
    return torch.optim.Adam(
        [
            {
                "params": list(group.parameters),
                "weight_decay": decay if group.weight_decay is None else group.weight_decay,
            }
            for group in groups
        ],
        lr=settings.learning_rate,
        fused=True,
    )


def _check_groups(groups: Iterable[ParameterGroup], model: nn.Module) -> None:
    names = {parameter: name for name, parameter in model.named_parameters()}
    seen: dict[nn.Parameter, str] = {}
    for group in groups:
        for parameter in group.parameters:
            if parameter in seen:
                raise UsageError(
                    f"parameter '{names.get(parameter, '?')}' stands in the groups "
                    f"'{seen[parameter]}' and '{group.name}'"
                )
            seen[parameter] = group.name
    missing = [name for parameter, name in names.items() if parameter not in seen]
    if missing:
        raise UsageError(f"no parameter group holds '{missing[0]}' ({len(missing)} are left out)")
