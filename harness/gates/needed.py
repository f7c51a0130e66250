"""How many pairs a test that is still open needs, from what it has seen so far."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

from harness.gates.tables import FIRST_FAIL, FIRST_PASS, MOST_PAIRS

BEYOND: Final = "beyond this plan"
MORE_SAMPLES: Final = (
    "no number of seeds decides this on this gate set: more gate samples are needed"
)

# What of the error a look in the middle of the plan has to spend, roughly: a fixed test at these
# levels needs about as many pairs as the sequential one.
_LEVEL_PASS = 0.0125
_LEVEL_FAIL = 0.03


def pairs_in_all(gap: float, sd: float, v_cov: float, power: float) -> float:
    """How many pairs in all decide a gap with the given power, were it the true one.

    N = ceil(z^2 sd^2 / (gap^2 - z^2 v_cov) + 2) with z = z_level + z_power. More seeds shrink
    sd^2 / N but not v_cov, the share of the variance that all pairs have in common.

    Args:
        gap: mean less margin; above 0 the question is PASS, below it is FAIL.
        sd: standard deviation of the differences.
        v_cov: variance of the mean that comes from the gate samples that pairs share.
        power: probability of the decision, in (0, 1).

    Returns:
        The number of pairs; infinity where no number would do.
    """
    level = _LEVEL_PASS if gap > 0 else _LEVEL_FAIL
    first = FIRST_PASS if gap > 0 else FIRST_FAIL
    z = NormalDist().inv_cdf(1 - level) + NormalDist().inv_cdf(power)
    left = gap * gap - z * z * v_cov
    if left <= 0:
        return math.inf
    needed = z * z * sd * sd / left + 2
    return max(first, math.ceil(needed)) if math.isfinite(needed) else math.inf


def pairs_still_needed(
    n: int, gap: float, sd: float, v_cov: float, power: float
) -> tuple[int | None, str]:
    """How many pairs beyond the ``n`` at hand, or None and the reason why no number is given.

    Returns:
        The number, at least 1, and an empty reason; or None and `BEYOND` or `MORE_SAMPLES`.
    """
    total = pairs_in_all(gap, sd, v_cov, power)
    if math.isinf(total) and v_cov > 0:
        return None, MORE_SAMPLES
    if total > MOST_PAIRS or n >= MOST_PAIRS:
        return None, BEYOND
    return max(1, int(total) - n), ""
