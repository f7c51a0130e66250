"""The values of one training run that belong to no feature."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class ScheduleName(StrEnum):
    """Learning-rate schedules that the loop has of its own."""

    CONSTANT = "constant"
    PLATEAU = "plateau"
    COSINE = "cosine"


class TrainingSettings(BaseModel):
    """Settings of the loop; every one is a flag and part of a trial's key."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: int = Field(12, ge=1, le=100_000, description="epochs of a run")
    batch_size: int = Field(64, ge=1, le=1_000_000, description="graphs a batch at most")
    batch_nodes: int = Field(
        0, ge=0, le=1_000_000_000, description="nodes a batch at most, larger graphs alone; 0 any"
    )
    learning_rate: float = Field(
        1e-3, gt=0, le=10, description="learning rate where no feature chooses one"
    )
    weight_decay: float = Field(0.0, ge=0, le=10, description="weight decay of the optimizer")
    schedule: ScheduleName = Field(
        ScheduleName.PLATEAU, description="learning-rate schedule: constant, plateau or cosine"
    )
    clip_norm: float = Field(
        1.0, ge=0, description="largest norm of the gradient of a step; 0 does not clip"
    )
    patience: int = Field(
        0, ge=0, description="epochs without a better select F1 before stopping early; 0 never"
    )
    warmup_epochs: int = Field(
        2, ge=0, description="first epochs in which one-class predictions are no collapse"
    )
    deterministic: bool = Field(
        False,  # noqa: FBT003
        description="on a GPU the same bits every time, with slower kernels; timed without",
    )
    checkpoint_every: int = Field(1, ge=0, description="epochs between checkpoints; 0 writes none")
