"""What goes into a fit and what comes out of it: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from harness.settings import TrainingSettings

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from harness.feature import Feature
    from harness.graphs.dataset import PackedGraphs
    from harness.graphs.splits import Split
    from harness.selection import Selection


@dataclass(frozen=True)
class FitSpec:
    """One training run to be done.

    Attributes:
        graphs: the whole data set.
        split: its parts; ``gate`` is read once, at the end.
        model: name and values of the model.
        arm: the features, in the order of their wraps.
        settings: of the loop.
        seed: of initialisation, data order and split.
        device: a torch device string.
        folder: where checkpoints, history and diagnostics go; None writes nothing.
        cache: where features keep what other runs can use again; None keeps nothing.
        resume: go on from the folder's last checkpoint where there is one.
        processes: that may train at once, for a wrap that trains several times; no result
            depends on it.
    """

    graphs: PackedGraphs
    split: Split
    model: Selection
    arm: tuple[Feature, ...] = ()
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    seed: int = 0
    device: str = "cpu"
    folder: Path | None = None
    cache: Path | None = None
    resume: bool = False
    processes: int = 1

    def with_arm(self, arm: tuple[Feature, ...]) -> FitSpec:
        """The same run with other features."""
        return replace(self, arm=arm)

    def member(self, name: str, **changes: Any) -> FitSpec:
        """The same run with some changes and a folder of its own inside this one's.

        For a wrap that trains several times: checkpoints of different runs must not meet.
        """
        folder = None if self.folder is None else self.folder / name
        return replace(self, folder=folder, **changes)


class EpochRecord(BaseModel):
    """One line of ``metrics_history.csv``.

    F1, precision and recall are of the vulnerable class on *select*, at ``threshold``; those
    ``_at_half`` are at probability 0.5. The ``predicted`` counts are the prediction distribution
    at 0.5, which is what collapse detection watches.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int
    train_loss: float
    select_loss: float
    learning_rate: float
    gradient_norm: float
    clipped_steps: int
    steps: int
    threshold: float
    f1: float
    precision: float
    recall: float
    balanced_accuracy: float
    f1_at_half: float
    balanced_accuracy_at_half: float
    auc: float
    predicted_safe: int
    predicted_vulnerable: int
    train_seconds: float
    evaluation_seconds: float


class Collapse(BaseModel):
    """Why a run counts as collapsed; the rule is stored with the run.

    Attributes:
        rule: ``not_finite``, ``one_class`` (at the chosen epoch) or ``one_class_twice`` (in two
            consecutive epochs).
        epoch: at which the rule applied.
        detail: one sentence for the user.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    epoch: int
    detail: str


@dataclass(frozen=True)
class Scores:
    """Probabilities of the vulnerable class for some graphs.

    Attributes:
        index: ``[m]`` int64 places in the data set.
        label: ``[m]`` int64.
        probability: ``[m]`` float32 in [0, 1].
        loss: mean loss over the graphs.
    """

    index: NDArray[np.int64]
    label: NDArray[np.int64]
    probability: NDArray[np.float32]
    loss: float


@dataclass(frozen=True)
class FitResult:
    """What a fit found.

    Attributes:
        history: one record for each epoch.
        best_epoch: the chosen one, by *select* F1; -1 if no epoch was finite.
        threshold: on the probability, by *select* at the chosen epoch.
        select: scores on *select* at the chosen epoch; None if the run ended as not finite.
        gate: scores on *gate* at the chosen epoch, likewise.
        collapse: the rule that applied, or None.
        notes: what the run decided, for the user.
        train_seconds: wall seconds of each epoch's training, evaluation excluded.
        setup_seconds: wall seconds before the first epoch, such as an LR range test.
        finish_seconds: wall seconds after the last epoch, evaluation excluded.
        state: the chosen epoch's weights, on the CPU.
    """

    history: tuple[EpochRecord, ...]
    best_epoch: int
    threshold: float
    select: Scores | None
    gate: Scores | None
    collapse: Collapse | None
    notes: tuple[str, ...] = ()
    train_seconds: tuple[float, ...] = ()
    setup_seconds: float = 0.0
    finish_seconds: float = 0.0
    state: dict[str, torch.Tensor] = field(default_factory=dict)
