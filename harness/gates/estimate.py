"""Mean of paired differences and its standard error over both seeds and gate samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.gates.inputs import GateInputError, finite_list, finite_matrix, finite_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Estimate:
    """What n pairs say about the true mean difference.

    Attributes:
        n: number of pairs, at least 2.
        mean: mean difference.
        sd: standard deviation of the differences, after the floor.
        v_cov: share of the mean's variance that pairs have in common by sharing gate samples.
        se: standard error of the mean, sqrt(sd^2 / n + v_cov).
    """

    n: int
    mean: float
    sd: float
    v_cov: float
    se: float


def estimate(
    differences: Sequence[float] | NDArray[np.floating],
    contributions: ArrayLike | None = None,
    *,
    floor: float = 0.0,
) -> Estimate:
    """Estimate the mean of all ``differences``, without a test and without stopping early.

    Args:
        differences: ``[n]`` candidate less baseline.
        contributions: ``[n, samples or groups]`` c_ki; None if pairs share no samples.
        floor: least standard deviation to believe.

    Raises:
        GateInputError: if a value is not finite, a shape does not fit or there are fewer than 2.
    """
    values = finite_list(differences, "differences")
    if len(values) < 2:  # noqa: PLR2004 - no spread in one
        raise GateInputError("at least 2 pairs are needed", where="differences")
    floor = finite_number(floor, "floor", least=0.0)
    shared = shared_variances(contributions, len(values))
    return estimate_of(values, shared[-1], floor)


def estimate_of(values: list[float], v_cov: float, floor: float) -> Estimate:
    """Estimate from checked values; sums are exactly rounded, so their order changes nothing."""
    n = len(values)
    mean = math.fsum(values) / n
    variance = math.fsum((value - mean) * (value - mean) for value in values) / (n - 1)
    sd = max(math.sqrt(variance), floor)
    return Estimate(n, mean, sd, v_cov, math.sqrt(sd * sd / n + v_cov))


def shared_variances(contributions: ArrayLike | None, pairs: int) -> list[float]:
    """V_cov of the first 1, 2, ..., ``pairs`` pairs; zeros without contributions.

    V_cov of n pairs = max(0, the sum over pairs k != l and samples i of c_ki c_li) / n^2.

    Raises:
        GateInputError: if there is not one row a pair, or a value is not finite.

    Source: two-way clustered variance, Cameron, Gelbach and Miller, "Robust Inference with
    Multiway Clustering", JBES 29, 2011.
    """
    if contributions is None:
        return [0.0] * pairs
    table = finite_matrix(contributions, "contributions", pairs)
    return shared_of(np.tril(table @ table.T, -1).sum(axis=1), pairs)


def shared_of(between: NDArray[np.float64], pairs: int) -> list[float]:
    """V_cov of the first 1, 2, ..., ``pairs`` pairs, from what each shares with earlier ones.

    Args:
        between: ``[pairs]`` of pair k, the sum of c_ki c_li over samples i and the pairs l before.
        pairs: how many there are.

    Raises:
        GateInputError: if there is not one number a pair, or one is not finite.
    """
    if between.shape != (pairs,) or not np.isfinite(between).all():
        raise GateInputError(
            f"what is shared by {len(between)} pairs does not fit {pairs} differences, or is not "
            "finite", where="contributions",
            mend="give one row a pair and one column a gate sample or group",
        )  # fmt: skip
    totals = np.maximum(0.0, 2.0 * between.cumsum())
    shared: list[float] = (totals / np.arange(1, pairs + 1) ** 2).tolist()
    return shared
