"""The contract of a feature: a frozen, typed object that changes training through hooks.

There are three kinds of hook and no others:

- **slots** answer a question of the loop; at most one feature of an arm owns each.
- **wraps** enclose a piece of work, nested by ``order``.
- **events** observe. Those after a piece of work run in reverse order.

A feature overrides the hooks it needs. One that is off leaves no trace: same bits, same time.
"""

from __future__ import annotations

import inspect
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import SlotConflictError, UsageError, first_problem
from harness.hashing import files_key
from harness.registry import Registry
from harness.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from harness.result import FitResult, FitSpec
    from harness.run import DataParallel, ParameterGroup, Run, Schedule


class Claim(StrEnum):
    """What a feature promises; under the policy ``claims`` it is held to this."""

    QUALITY = "quality"
    SPEED = "speed"
    MEMORY = "memory"
    INSIGHT = "insight"
    SCALE = "scale"


SLOTS = (
    "parameter_groups", "optimizer", "learning_rate", "scheduler", "sampler", "class_weights",
    "criterion", "grad_scaler", "accumulation_window", "evaluation_model", "data_parallel",
)  # fmt: skip
WRAPS = ("around_forward", "around_fit")
EVENTS = (
    "on_fit_start", "on_epoch_start", "on_batch_end", "on_epoch_end", "on_evaluation_end",
    "on_fit_end",
)  # fmt: skip
HOOKS = SLOTS + WRAPS + EVENTS


class Feature(BaseModel):
    """Base of all features. The docstring of a subclass is its card.

    A card says in its first line what the feature does, then why, and has the paragraphs
    ``When it hurts:``, ``Known limitations:`` and ``Source:``. Fields are flags: each has a
    default and a description. What a feature keeps while it runs stands in private attributes;
    every fit gets a fresh object.

    Attributes:
        name: unique over all packages; used in selections.
        claim: what it promises.
        order: place among the wraps, lowest outermost; ties go by name.
        reweights_classes: whether it counters class imbalance, for the parts of an arm that
            soften themselves where three remedies meet.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    name: ClassVar[str]
    claim: ClassVar[Claim]
    order: ClassVar[int] = 0
    reweights_classes: ClassVar[bool] = False

    # Slots ---------------------------------------------------------------------------------

    def parameter_groups(self, run: Run) -> Sequence[ParameterGroup]:
        """Divide the model's parameters; each stands in exactly one group."""
        raise NotImplementedError

    def optimizer(self, run: Run, groups: Sequence[ParameterGroup]) -> torch.optim.Optimizer:
        """Make the optimizer over the groups, in their order."""
        raise NotImplementedError

    def learning_rate(self, run: Run) -> float:
        """Choose the run's learning rate; asked once, when model and optimizer are there."""
        raise NotImplementedError

    def scheduler(self, run: Run) -> Schedule:
        """Make the learning-rate schedule."""
        raise NotImplementedError

    def sampler(self, run: Run) -> Callable[[int], NDArray[np.int64]]:
        """Make the function from an epoch to the places of the graphs it visits, in order."""
        raise NotImplementedError

    def class_weights(self, run: Run) -> torch.Tensor:
        """Weights ``[C]`` that multiply the losses of each class."""
        raise NotImplementedError

    def criterion(self, run: Run) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """Make the function ``(logits [B, C], labels [B]) -> losses [B]``."""
        raise NotImplementedError

    def grad_scaler(self, run: Run) -> torch.amp.GradScaler | None:
        """Make the gradient scaler, or None where the precision needs none."""
        raise NotImplementedError

    def accumulation_window(self, run: Run) -> int:
        """Batches per optimizer step."""
        raise NotImplementedError

    def evaluation_model(self, run: Run) -> nn.Module:
        """The model to evaluate, of the same state_dict as ``run.model``; asked each epoch."""
        raise NotImplementedError

    def data_parallel(self, run: Run) -> DataParallel | None:
        """Make what this process shares the run by; None where it has the run to itself."""
        raise NotImplementedError

    # Wraps ---------------------------------------------------------------------------------

    def around_forward(self, run: Run) -> AbstractContextManager[object]:
        """Enclose each forward pass, in training and in evaluation; the loss is taken in fp32."""
        del run
        return nullcontext()

    def around_fit(self, fit: Callable[[FitSpec], FitResult], spec: FitSpec) -> FitResult:
        """Enclose the whole fit: call ``fit`` once, many times or elsewhere.

        Several fits need a folder each: give them ``spec.member(name, seed=...)``, and train them
        by ``fit_each``, in parallel where ``spec.processes`` allows. The object that this is
        called on is not the one that sees the events of those fits.
        """
        return fit(spec)

    # Events --------------------------------------------------------------------------------

    def on_fit_start(self, run: Run) -> None:
        """Everything is built; nothing is trained."""

    def on_epoch_start(self, run: Run) -> None:
        """Before the first batch of an epoch."""

    def on_batch_end(self, run: Run) -> None:
        """After each batch's backward pass, and the optimizer's step where one was due."""

    def on_epoch_end(self, run: Run) -> None:
        """After the last batch of an epoch, before its evaluation."""

    def on_evaluation_end(self, run: Run) -> None:
        """After an epoch's evaluation: ``run.history[-1]`` and ``run.scores``.

        Learning rates are still the epoch's own; the schedule comes next.
        """

    def on_fit_end(self, run: Run, result: FitResult) -> None:
        """After the last epoch and the gate's reading."""

    # State ---------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values to keep in the checkpoint."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` gave; called after ``on_fit_start``, with {} for nothing."""
        del state

    def inputs(self) -> tuple[Path, ...]:
        """Files beside the data that decide how a run ends, such as a checkpoint to start from."""
        return ()

    # For the harness -----------------------------------------------------------------------

    @classmethod
    def hooks(cls) -> tuple[str, ...]:
        """The hooks that this feature overrides."""
        return tuple(hook for hook in HOOKS if getattr(cls, hook) is not getattr(Feature, hook))

    @classmethod
    def card(cls) -> str:
        """The docstring, without its indentation; "" for a class that has none of its own."""
        return inspect.cleandoc(cls.__doc__ or "")

    @classmethod
    def source_key(cls) -> str:
        """Hash of the feature's own file: a change of it makes new trials."""
        return files_key([Path(inspect.getfile(cls))])

    def inputs_key(self) -> str:
        """Hash of the content of its ``inputs``, "" without any: other content, other trials.

        Raises:
            UsageError: if one cannot be read.
        """
        try:
            return files_key(self.inputs()) if self.inputs() else ""
        except OSError as error:
            raise UsageError(
                f"{error.filename}: {error.strerror}",
                where=str(self),
                mend="give the path of a file that is there",
            ) from error

    def fresh(self) -> Feature:
        """The same values in a new object that has kept nothing yet."""
        return type(self)(**self.model_dump())

    def selection(self) -> Selection:
        """The shortest selection that gives these values: fields at their default are left out."""
        defaults = type(self)().model_dump(mode="json")
        values = self.model_dump(mode="json")
        changed = {key: value for key, value in values.items() if value != defaults[key]}
        return Selection(self.name, changed)

    def __str__(self) -> str:
        return str(self.selection())


FEATURES: Registry[type[Feature]] = Registry("feature", "ablation.features")

F = TypeVar("F", bound=type[Feature])


def register(feature: F) -> F:
    """Class decorator that makes a feature known under its ``name``.

    Raises:
        UsageError: if it has no name or claim, the name is taken, or a field lacks a default or a
            description.
    """
    kind: type[Feature] = feature
    for attribute in ("name", "claim"):
        if not hasattr(kind, attribute):
            raise UsageError(
                f"feature class '{kind.__qualname__}' has no {attribute}",
                where=inspect.getfile(kind),
                mend="write: name: ClassVar[str] = 'a_name'; claim: ClassVar[Claim] = Claim.SPEED",
            )
    for name, info in kind.model_fields.items():
        if info.is_required() or not info.description:
            raise UsageError(
                f"field '{name}' of feature '{kind.name}' lacks a default or a description",
                where=inspect.getfile(kind),
                mend="write it as: name: type = Field(default, description='...')",
            )
    FEATURES.add(kind.name, kind)
    return feature


def make_feature(selection: Selection) -> Feature:
    """Make a feature from its selection.

    Raises:
        UsageError: naming the field that is unknown or out of its range.
    """
    kind = FEATURES.get(selection.name)
    try:
        return kind(**selection.values)
    except ValidationError as error:
        name, what, _ = first_problem(error)
        part = f"field '{name}' of feature" if name else "feature"
        fields = ", ".join(kind.model_fields) or "none"
        raise UsageError(
            f"{part} '{selection.name}': {what}",
            where=str(selection),
            mend=f"its fields are: {fields}; see: ablate features {selection.name}",
        ) from error


def make_arm(selections: Iterable[Selection]) -> tuple[Feature, ...]:
    """Make the features of an arm, in the order of their wraps, and check them against each other.

    Raises:
        UsageError: if a selection cannot be made, or a feature stands in it twice.
        SlotConflictError: if two features own one slot; names both and the slot.
    """
    return join_arm(map(make_feature, selections))


def join_arm(features: Iterable[Feature]) -> tuple[Feature, ...]:
    """Put features in the order of their wraps and check them against each other.

    Raises:
        UsageError: if a feature stands in it twice.
        SlotConflictError: if two features own one slot; names both and the slot.
    """
    arm = sorted(features, key=lambda feature: (feature.order, feature.name))
    names = [feature.name for feature in arm]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"feature '{name}' stands twice in the arm {'+'.join(map(str, arm))}")
    for slot in SLOTS:
        owners = [feature.name for feature in arm if slot in feature.hooks()]
        if len(owners) > 1:
            raise SlotConflictError(
                f"features '{owners[0]}' and '{owners[1]}' both own the slot '{slot}'",
                where="+".join(map(str, arm)),
                mend="take one of them out of the arm (or out of the baseline: --baseline)",
            )
    return tuple(arm)
