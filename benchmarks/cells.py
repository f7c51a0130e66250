"""What is compared: a model at a width and a precision, and the graphs that it is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from harness.graphs.splits import Split
from harness.selection import Selection

if TYPE_CHECKING:
    from harness.graphs.dataset import PackedGraphs

DROPOUT = 0.2
LAYERS = 3
BATCH_SIZE = 64
LEARNING_RATE = 1e-3
CLIP_NORM = 1.0
_HELD_OUT = 5


class Precision(StrEnum):
    """Of the matrix products: fp32, or bf16 under autocast."""

    FP32 = "fp32"
    BF16 = "bf16"


@dataclass(frozen=True)
class Cell:
    """One comparison.

    Attributes:
        model: name of a built-in model.
        hidden: its width.
        precision: of its matrix products.
    """

    model: str
    hidden: int
    precision: Precision = Precision.FP32

    @property
    def selection(self) -> Selection:
        """The engine's model."""
        values = {"hidden": self.hidden, "layers": LAYERS, "dropout": DROPOUT}
        return Selection(self.model, values)

    def __str__(self) -> str:
        return f"{self.model}-{self.hidden} {self.precision.value}"


def part_of(graphs: PackedGraphs, count: int, seed: int = 0) -> Split:
    """Draw ``count`` graphs, all of them where there are fewer: 4/5 to train, 1/5 to evaluate.

    The gate's part is the one that is evaluated; nothing here reads it.
    """
    drawn = np.random.default_rng(seed).permutation(len(graphs))[:count]
    held = len(drawn) // _HELD_OUT
    train, evaluate = np.sort(drawn[held:]), np.sort(drawn[:held])
    return Split(train=train, select=evaluate, gate=evaluate)
