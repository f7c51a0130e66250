"""The LR range test: train a few steps at growing rates and read the best one off the loss.

Source: Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017. The rate of the
steepest descent follows fastai's finder; the curve is smoothed by local regression (Savitzky and
Golay, Analytical Chemistry 36, 1964) and not by a moving average of the past, which puts the
descent too far right and, on a noisy curve, anywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import savgol_filter
from scipy.stats import t as student

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.run import Run

WINDOW = 0.25
DIVERGENCE = 4.0
SKIP_START = 0.1
SKIP_END = 0.05
FEWEST_POINTS = 8
LEAST_CONFIDENCE = 0.95
_NORMAL_MAD = 1.4826


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
        rate: the learning rate to use, floor and cap applied.
        confidence: in [0, 1], one minus the chance that noise alone gives so steep a descent.
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
    test: RangeTest,
    *,
    cap: float,
    fallback: float,
    floor: float = 0.0,
    least_confidence: float = LEAST_CONFIDENCE,
) -> Suggestion:
    """Choose the rate of the steepest descent of the smoothed curve, between floor and cap.

    Both ends are skipped: the first rates move nothing, the last ones diverge. Where there are
    too few points, no descent, or no more descent than noise gives, the conservative ``fallback``
    is taken, or ``cap`` where that is lower, and the reason says why.
    """
    fallback = min(fallback, cap)
    points = len(test.losses)
    if points < FEWEST_POINTS:
        return _fall_back(fallback, 0.0, f"the loss diverged after {points} steps")
    inner = slice(math.ceil(SKIP_START * points), points - math.ceil(SKIP_END * points))
    slope = slopes(test)[inner]
    steepest = int(np.argmin(slope))
    if slope[steepest] >= 0:
        return _fall_back(fallback, 0.0, "the loss never fell")
    confidence = _confidence(-float(slope[steepest]), test, inner)
    if confidence < least_confidence:
        why = f"noise alone can give so steep a curve (confidence {confidence:.2f})"
        return _fall_back(fallback, confidence, why)
    found = float(test.rates[inner][steepest])
    rate = min(max(found, floor), cap)
    reason = f"steepest descent at {found:.2e}"
    if rate != found:
        reason += f", {'capped at' if rate < found else 'raised to'} {rate:.2e}"
    return Suggestion(rate, confidence, reason, fallback=False)


def slopes(test: RangeTest) -> NDArray[np.float64]:
    """Slope ``[k]`` of the loss over the log of the rate: regression lines in a moving window."""
    step = _step(test)
    window = _window(len(test.losses))
    found: NDArray[np.float64] = savgol_filter(test.losses, window, 1, deriv=1, delta=step)
    return found


def _confidence(descent: float, test: RangeTest, inner: slice) -> float:
    """One minus the chance of such a slope where there is none, at any of the places looked at.

    The noise is read off the differences of neighbouring losses, robustly; the chance is that of
    a t variable times the number of places (Bonferroni).
    """
    differences = np.diff(test.losses[inner])
    deviation = float(np.median(np.abs(differences - np.median(differences))))
    noise = _NORMAL_MAD * deviation / math.sqrt(2)
    places, window = len(differences) + 1, _window(len(test.losses))
    error = noise / (_step(test) * math.sqrt(window * (window**2 - 1) / 12))
    if error == 0:
        return 1.0
    return 1.0 - min(1.0, places * float(student.sf(descent / error, places // 2)))


def _window(points: int) -> int:
    """Width of the moving window: odd, and at least 5."""
    return max(5, int(WINDOW * points) // 2 * 2 + 1)


def _step(test: RangeTest) -> float:
    return math.log(float(test.rates[1]) / float(test.rates[0]))


def _fall_back(rate: float, confidence: float, why: str) -> Suggestion:
    return Suggestion(rate, confidence, f"fell back to {rate:.2e}: {why}", fallback=True)
