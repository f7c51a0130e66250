"""Simulated timed blocks on a machine that others use too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.gates.tables import MOST_PAIRS
from harness.gates.time import Block, TimeResult, Visit, judge_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VISITS: Final = 4


@dataclass(frozen=True)
class Machine:
    """How much a machine disturbs what is timed on it.

    Attributes:
        jitter: standard deviation of the logarithm of an epoch's time.
        slow_share: share of visits during which something else runs.
        slow_least: least factor, less 1, by which such a visit is slower.
        slow_most: largest such factor, less 1.
        drift: change of speed over a block, in either direction.
        epochs: epochs of a visit.
    """

    jitter: float = 0.03
    slow_share: float = 0.10
    slow_least: float = 0.10
    slow_most: float = 0.60
    drift: float = 0.05
    epochs: int = 5


def blocks(
    rng: np.random.Generator, ratio: float, machine: Machine, count: int = MOST_PAIRS
) -> list[Block]:
    """Time ``count`` blocks of an arm that truly takes ``ratio`` times as long."""
    shape = (count, _VISITS, machine.epochs)
    log = rng.normal(0, machine.jitter, shape)
    steps = np.linspace(0, machine.drift, _VISITS * machine.epochs).reshape(shape[1:])
    log += rng.choice((-1, 1), (count, 1, 1)) * steps
    factor = 1 + rng.uniform(machine.slow_least, machine.slow_most, (count, _VISITS, 1))
    slow = rng.random((count, _VISITS, 1)) < machine.slow_share
    seconds = np.exp(log) * np.where(slow, factor, 1.0)
    seconds *= np.array([1, ratio, ratio, 1]).reshape(_VISITS, 1)
    return _as_blocks(np.median(seconds, axis=2), seconds.mean(axis=2))


def time_gate(rng: np.random.Generator, ratio: float, machine: Machine) -> TimeResult:
    """Put the time question to an arm that truly takes ``ratio`` times as long."""
    return judge_time(blocks(rng, ratio, machine), epochs=10)


def _as_blocks(medians: NDArray[np.float64], means: NDArray[np.float64]) -> list[Block]:
    return [
        Block(*(Visit(median, mean) for median, mean in zip(*rows, strict=True)))
        for rows in zip(medians.tolist(), means.tolist(), strict=True)
    ]
