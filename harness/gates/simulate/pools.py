"""Simulated predictions on a pool of samples: what seeds and gate samples each add to the error.

Each sample has a difficulty that both arms share, one that each arm has for itself, and noise
that is new with every seed. The first two make the same samples wrong again and again; a
standard error over seeds alone does not see them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, stats

from harness.gates.f1 import Pair, Predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NODES = 41


@dataclass(frozen=True)
class Population:
    """Where pools come from. A score above the threshold is predicted vulnerable.

    Attributes:
        gain: true F1 difference, on endless gate samples and seeds.
        samples: samples of a pool, of which a fifth is a gate.
        positive: share of vulnerable samples.
        shared: variance of the score by sample, the same in both arms.
        own: variance of the score by sample and arm, the same in every seed.
        fresh: variance of the score by sample, arm and seed; the three add up to 1.
        run: standard deviation of a whole run's threshold.
        apart: mean score of vulnerable samples under the baseline; that of safe ones is 0.
        threshold: score from which a sample is predicted vulnerable.
    """

    gain: float = 0.02
    samples: int = 2500
    positive: float = 0.23
    shared: float = 0.6
    own: float = 0.2
    fresh: float = 0.2
    run: float = 0.05
    apart: float = 1.9
    threshold: float = 1.0

    def f1(self, apart: float) -> float:
        """Expected F1 of an arm whose vulnerable samples have mean score ``apart``."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        threshold = self.threshold + self.run * nodes
        found = self.positive * stats.norm.sf(threshold - apart)
        alarms = (1 - self.positive) * stats.norm.sf(threshold)
        return float(weights @ (2 * found / (found + alarms + self.positive)) / weights.sum())

    @cached_property
    def apart_of_candidate(self) -> float:
        """Mean score of vulnerable samples at which the candidate's true gain is ``gain``."""
        wanted = self.f1(self.apart) + self.gain
        return float(
            optimize.brentq(lambda apart: self.f1(apart) - wanted, self.apart - 2, self.apart + 2)
        )


def draw_pairs(
    rng: np.random.Generator, population: Population, count: int, *, resplit: bool
) -> list[Pair]:
    """Draw one pool and ``count`` pairs of runs on it.

    Args:
        rng: source of the pool, the gates and the runs.
        population: where the pool comes from.
        count: number of pairs.
        resplit: whether every seed draws its own gate from the pool, or all share one.
    """
    size = population.samples
    label = (rng.random(size) < population.positive).astype(np.int64)
    shared = rng.normal(0, math.sqrt(population.shared), size)
    means = (population.apart, population.apart_of_candidate)
    known = [
        mean * label + shared + rng.normal(0, math.sqrt(population.own), size) for mean in means
    ]
    gate = _draw_gate(rng, label)
    pairs = []
    for seed in range(count):
        if resplit and seed:
            gate = _draw_gate(rng, label)
        runs = []
        for score in known:
            noisy = score[gate] + rng.normal(0, math.sqrt(population.fresh), len(gate))
            threshold = population.threshold + rng.normal(0, population.run)
            runs.append(Predictions(gate, label[gate], (noisy > threshold).astype(np.int64), gate))
        pairs.append(Pair(seed, *runs))
    return pairs


def _draw_gate(rng: np.random.Generator, label: NDArray[np.int64]) -> NDArray[np.int64]:
    parts = [rng.permutation(np.flatnonzero(label == value)) for value in (0, 1)]
    return np.sort(np.concatenate([part[: len(part) // 5] for part in parts]))
