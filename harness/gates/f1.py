"""F1 of the vulnerable class, and what each gate sample contributes to a difference of two F1s."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

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
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
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

    @cached_property
    def positives(self) -> int:
        """Number of vulnerable gate samples."""
        return int(np.count_nonzero(self.label))

    @cached_property
    def f1(self) -> float:
        """F1 of the vulnerable class, in 0..1."""
        return f1_score(self.label, self.predicted)

    @cached_property
    def by_index(self) -> Predictions:
        """The same in ascending order of the index; itself where it is so already."""
        if (self.index[1:] > self.index[:-1]).all():
            return self
        order = np.argsort(self.index)
        return Predictions(
            self.index[order], self.label[order], self.predicted[order], self.group[order]
        )

    @cached_property
    def shares(self) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Each group that is there, ascending, and its influence on F1: over its samples, over m.

        Samples of one group (a commit, a clone) are right or wrong together.
        """
        groups, place = np.unique(self.group, return_inverse=True)
        share = influence(self.label, self.predicted) / len(self.index)
        return groups, np.asarray(np.bincount(place, share, len(groups)), np.float64)


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
        ours, theirs = self.baseline.by_index, self.candidate.by_index
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

    @cached_property
    def identical(self) -> bool:
        """Whether both arms predicted the same for every gate sample."""
        ours, theirs = self.baseline.by_index, self.candidate.by_index
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
    over a group.
    """
    none = np.empty(0, dtype=np.int64)
    groups = np.unique(np.concatenate([none, *(pair.baseline.shares[0] for pair in pairs)]))
    values = np.zeros((len(pairs), len(groups)))
    for k, pair in enumerate(pairs):
        own, baseline = pair.baseline.shares  # the candidate's groups are the same
        values[k, np.searchsorted(groups, own)] = pair.candidate.shares[1] - baseline
    return Contributions(groups.astype(np.int64), values)
