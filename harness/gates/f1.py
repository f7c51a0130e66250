"""F1 of the vulnerable class, and what each gate sample contributes to a difference of two F1s."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.gates.inputs import GateInputError
from harness.metrics import f1_score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Predictions:
    """What one run predicted on its gate part.

    Attributes:
        index: ``[m]`` int, place of each graph in the data set; no graph twice.
        label: ``[m]`` 0 or 1, 1 is vulnerable; at least one is.
        predicted: ``[m]`` 0 or 1.
        group: ``[m]`` int, the group each graph belongs to, the same number in every run.
    """

    index: NDArray[np.integer]
    label: NDArray[np.integer]
    predicted: NDArray[np.integer]
    group: NDArray[np.integer]

    def __post_init__(self) -> None:
        """Check the arrays.

        Raises:
            GateInputError: naming the array that does not fit.
        """
        arrays = vars(self)
        for name, array in arrays.items():
            if array.ndim != 1 or array.shape != self.index.shape or array.dtype.kind not in "iub":
                raise GateInputError(
                    f"{array.dtype} of shape {array.shape}, where whole numbers of shape "
                    f"({len(self.index)},) are wanted",
                    where=f"predictions.{name}",
                )
        for name in ("label", "predicted"):
            if not np.isin(arrays[name], (0, 1)).all():
                raise GateInputError("a value is neither 0 nor 1", where=f"predictions.{name}")
        if not self.label.any():
            raise GateInputError(
                "no gate sample is vulnerable, so F1 is not defined",
                where="predictions.label",
                mend="use a larger gate part",
            )
        if len(np.unique(self.index)) != len(self.index):
            raise GateInputError("a graph appears twice", where="predictions.index")

    @property
    def positives(self) -> int:
        """Number of vulnerable gate samples."""
        return int(np.count_nonzero(self.label))

    @property
    def f1(self) -> float:
        """F1 of the vulnerable class, in 0..1."""
        return f1_score(self.label, self.predicted)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two runs with the same seed: same split, same initialisation seed.

    Attributes:
        seed: the seed of both.
        baseline: what the baseline predicted.
        candidate: what the candidate predicted on the same gate samples, in any order.
    """

    seed: int
    baseline: Predictions
    candidate: Predictions

    def __post_init__(self) -> None:
        """Check that both arms were asked the same.

        Raises:
            GateInputError: if gate samples, labels or groups differ.
        """
        ours, theirs = _by_index(self.baseline), _by_index(self.candidate)
        for name in ("index", "label", "group"):
            if not np.array_equal(getattr(ours, name), getattr(theirs, name)):
                raise GateInputError(
                    f"the {name} of baseline and candidate differ",
                    where=f"pair with seed {self.seed}",
                    mend="both runs of a pair share split and data set; run the pair again",
                )

    @property
    def difference(self) -> float:
        """F1 of the candidate less F1 of the baseline."""
        return self.candidate.f1 - self.baseline.f1

    @property
    def identical(self) -> bool:
        """Whether both arms predicted the same for every gate sample."""
        ours, theirs = _by_index(self.baseline), _by_index(self.candidate)
        return bool(np.array_equal(ours.predicted, theirs.predicted))


def influence(label: NDArray[np.integer], predicted: NDArray[np.integer]) -> NDArray[np.float64]:
    """First-order change of F1 per unit of weight moved to each sample, ``[m]``; the sum is 0.

    With B = mean(p + y) it is (2 p y - F1 (p + y)) / B, the influence function of the ratio
    2 mean(p y) / B.

    Source: Hampel, "The influence curve and its role in robust estimation", JASA 69, 1974.
    """
    both = 2.0 * (label * predicted)
    either = label.astype(np.float64) + predicted
    mean = either.mean()
    return np.asarray((both - both.mean() / mean * either) / mean, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each group of gate samples contributed to each difference.

    Attributes:
        groups: ``[g]`` int64, ascending: every group that is in any of the gates.
        values: ``[n, g]`` c_ki summed over each group; 0 where group i is not in gate k.
    """

    groups: NDArray[np.int64]
    values: NDArray[np.float64]


def contributions(pairs: Sequence[Pair]) -> Contributions:
    """Contributions of all groups to the differences of ``pairs``, row k for pair k.

    c_ki is the candidate's influence less the baseline's over the number of gate samples, summed
    over a group: samples of one group (a commit, a clone) are right or wrong together.
    """
    none = np.empty(0, dtype=np.int64)
    groups = np.unique(np.concatenate([none, *(pair.baseline.group for pair in pairs)]))
    values = np.zeros((len(pairs), len(groups)))
    for k, pair in enumerate(pairs):
        for sign, run in ((1.0, pair.candidate), (-1.0, pair.baseline)):
            share = sign * influence(run.label, run.predicted) / len(run.index)
            values[k] += np.bincount(np.searchsorted(groups, run.group), share, len(groups))
    return Contributions(groups.astype(np.int64), values)


def _by_index(run: Predictions) -> Predictions:
    order = np.argsort(run.index)
    if np.array_equal(run.index[order], run.index):
        return run
    return Predictions(**{name: array[order] for name, array in vars(run).items()})
