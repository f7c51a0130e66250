"""The LR range test: train a few steps at growing rates and read the best one off the loss.

Source: Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017; the choice of
the steepest descent follows Gugger's and fastai's finder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.run import Run

SMOOTHING = 0.8
DIVERGENCE = 4.0
SKIP_START = 0.1
SKIP_END = 0.05
FEWEST_POINTS = 8


@dataclass(frozen=True)
class RangeTest:
    """What a range test saw.

    Attributes:
        rates: ``[k]`` learning rates that were tried, ascending.
        losses: ``[k]`` loss of the step taken at each rate.
        diverged: whether the loss left ``DIVERGENCE`` times its best before the last rate.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    diverged: bool


@dataclass(frozen=True)
class Suggestion:
    """The learning rate that a range test suggests.

    Attributes:
        rate: the learning rate to use, caps applied.
        confidence: in [0, 1], the share of the smoothed curve's movement that is descent towards
            its minimum; noise makes it small.
        reason: one sentence: how the rate was found, capped or replaced by the fallback.
        fallback: whether the curve could not be trusted.
    """

    rate: float
    confidence: float
    reason: str
    fallback: bool


def run_range_test(run: Run, *, lowest: float, highest: float, steps: int) -> RangeTest:
    """Train ``steps`` steps at exponentially growing rates, then put everything back.

    Each step sees as many batches as the run's own steps do. Weights, buffers, optimizer,
    gradient scaler, the model's mode and torch's random generators are as before, to the bit.

    Args:
        run: built, up to its learning rate.
        lowest: first rate.
        highest: last rate.
        steps: rates to try; the test ends early where the loss diverges.
    """
    rates = np.geomspace(lowest, highest, steps)
    losses: list[float] = []
    with run.rehearsal():
        run.model.train()
        windows = (window for epoch in count() for window, _ in run.windows(epoch))
        for rate, window in zip(rates, windows, strict=False):
            run.set_learning_rate(float(rate))
            losses.append(run.train_on(window))
            if not math.isfinite(losses[-1]) or losses[-1] > DIVERGENCE * min(losses):
                break
    finite = [loss for loss in losses if math.isfinite(loss)]
    return RangeTest(rates[: len(finite)], np.array(finite), diverged=len(losses) < steps)


def suggest(
    test: RangeTest, *, cap: float, fallback: float, least_confidence: float = 0.3
) -> Suggestion:
    """Choose the rate of the steepest descent of the smoothed curve, within a cap.

    Both ends are skipped: the first rates move nothing, the last ones diverge. Where there are
    too few points, no descent, or more noise than descent, the conservative ``fallback`` is
    taken, or ``cap`` where that is lower, and the reason says why.
    """
    fallback = min(fallback, cap)
    points = len(test.losses)
    if points < FEWEST_POINTS:
        return _fall_back(fallback, 0.0, f"the loss diverged after {points} steps")
    smooth = smoothed(test.losses)
    first, last = math.ceil(SKIP_START * points), points - math.ceil(SKIP_END * points)
    lowest = first + int(np.argmin(smooth[first:last]))
    if lowest - first < 2:  # noqa: PLR2004 - a slope needs points on both sides
        return _fall_back(fallback, 0.0, "the loss never fell")
    part = smooth[first : lowest + 1]
    movement = float(np.abs(np.diff(part)).sum())
    confidence = max(0.0, float(part[0] - part[-1]) / movement) if movement else 0.0
    if confidence < least_confidence:
        why = f"the curve is more noise than descent (confidence {confidence:.2f})"
        return _fall_back(fallback, confidence, why)
    slope = np.gradient(part, np.log(test.rates[first : lowest + 1]))
    steepest = int(np.argmin(slope))
    if slope[steepest] >= 0:
        return _fall_back(fallback, confidence, "the loss never fell")
    rate = float(test.rates[first + steepest])
    if rate > cap:
        reason = f"steepest descent at {rate:.2e}, capped at {cap:.2e}"
        return Suggestion(cap, confidence, reason, fallback=False)
    return Suggestion(rate, confidence, f"steepest descent at {rate:.2e}", fallback=False)


def smoothed(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Exponential moving average of ``[k]`` losses with its start corrected, as Adam does it."""
    average, out = 0.0, np.empty_like(losses)
    for place, loss in enumerate(losses):
        average = SMOOTHING * average + (1 - SMOOTHING) * float(loss)
        out[place] = average / (1 - SMOOTHING ** (place + 1))
    return out


def _fall_back(rate: float, confidence: float, why: str) -> Suggestion:
    return Suggestion(rate, confidence, f"fell back to {rate:.2e}: {why}", fallback=True)
