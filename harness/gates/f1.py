"""F1 of the vulnerable class, and what each gate sample contributes to a difference of two F1s."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.gates.inputs import GateInputError

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
        for field in fields(self):
            _check(field.name, getattr(self, field.name), len(self.index))
        if not self.label.any():
            raise GateInputError(
                "no gate sample is vulnerable, so F1 is not defined",
                where="predictions.label",
                mend="use a larger gate part",
            )
        if not self._ascends and len(np.unique(self.index)) != len(self.index):
            raise GateInputError("a graph appears twice", where="predictions.index")

    @property
    def _ascends(self) -> bool:
        return bool((self.index[1:] > self.index[:-1]).all())

    def again(self, predicted: NDArray[np.integer]) -> Predictions:
        """What another run predicted on the same gate part; what is known of the part is shared.

        Args:
            predicted: ``[m]`` 0 or 1, in the order of the index.

        Raises:
            GateInputError: if they do not fit.
        """
        _check("predicted", predicted, len(self.index))
        known = {name: getattr(self, name) for name in ("index", "label", "group")}
        found = object.__new__(Predictions)  # all but the predictions was checked before
        vars(found).update(known, predicted=predicted, positives=self.positives, groups=self.groups)
        return found

    @cached_property
    def positives(self) -> int:
        """Number of vulnerable gate samples."""
        return int(np.count_nonzero(self.label))

    @cached_property
    def f1(self) -> float:
        """F1 of the vulnerable class, in 0..1."""
        found = int(np.count_nonzero(np.logical_and(self.label, self.predicted)))
        return 2 * found / (self.positives + int(np.count_nonzero(self.predicted)))

    @cached_property
    def by_index(self) -> Predictions:
        """The same in ascending order of the index; itself where it is so already."""
        if self._ascends:
            return self
        order = np.argsort(self.index)
        return Predictions(
            self.index[order], self.label[order], self.predicted[order], self.group[order]
        )

    @cached_property
    def groups(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """``[g]`` groups that are there, ascending, and ``[m]`` the place of each sample's."""
        groups, place = np.unique(self.group, return_inverse=True)
        return groups.astype(np.int64), place

    @property
    def shares(self) -> NDArray[np.float64]:
        """``[g]`` influence of each group on F1: over its samples, over m.

        Samples of one group (a commit, a clone) are right or wrong together.
        """
        groups, place = self.groups
        share = influence(self.label, self.predicted) / len(self.index)
        return np.asarray(np.bincount(place, share, len(groups)), np.float64)


def _check(name: str, array: NDArray[np.integer], length: int) -> None:
    """Refuse an array of predictions that is of another shape or kind, or not of 0 and 1."""
    if array.shape != (length,) or array.dtype.kind not in "iub":
        raise GateInputError(
            f"{array.dtype} of shape {array.shape}, where whole numbers of shape ({length},) are "
            "wanted",
            where=f"predictions.{name}",
        )
    if name in ("label", "predicted") and length and not 0 <= array.min() <= array.max() <= 1:
        raise GateInputError("a value is neither 0 nor 1", where=f"predictions.{name}")


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
            one, other = getattr(ours, name), getattr(theirs, name)
            # Runs that were asked the same share these in memory.
            if one is not other and not np.array_equal(one, other):
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
    def contributions(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """``[g]`` groups of the gate part, and what each contributed to the difference."""
        groups, _ = self.baseline.groups  # the candidate's are the same
        return groups, self.candidate.shares - self.baseline.shares

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
        rows: for each difference its groups, ascending int64, and what each contributed. Gates
            are a part of the data, so the table below is mostly zeros and is not kept.
    """

    rows: tuple[tuple[NDArray[np.int64], NDArray[np.float64]], ...]

    @classmethod
    def of(cls, groups: NDArray[np.int64], values: NDArray[np.float64]) -> Contributions:
        """Those of a table: ``[g]`` groups, and ``[n, g]`` what each contributed."""
        return cls(tuple((groups, row) for row in values))

    @property
    def groups(self) -> NDArray[np.int64]:
        """``[g]`` int64, ascending: every group that is in any of the gates."""
        groups, _ = self._joined()
        return groups

    @property
    def values(self) -> NDArray[np.float64]:
        """``[n, g]`` c_ki summed over each group; 0 where group i is not in gate k."""
        groups, places = self._joined()
        values = np.zeros((len(self.rows), len(groups)))
        for row, place, (_, contributed) in zip(values, places, self.rows, strict=True):
            row[place] = contributed
        return values

    @cached_property
    def between(self) -> NDArray[np.float64]:
        """``[n]`` of each row k, the sum of c_ki c_li over groups i and the rows l before it."""
        groups, places = self._placed()
        before = np.zeros(len(groups))
        found = np.zeros(len(self.rows))
        for k, (place, (_, contributed)) in enumerate(zip(places, self.rows, strict=True)):
            found[k] = contributed @ before[place]
            before[place] += contributed
        return found

    def _joined(self) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        """All groups, and for each row where in them its own are."""
        groups, places = self._placed()
        seen = np.zeros(len(groups), dtype=bool)
        for place in places:
            seen[place] = True
        order = np.cumsum(seen) - 1
        return groups[seen], [order[place] for place in places]

    def _placed(self) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        """Numbers among which all groups are, ascending, and for each row where its own are."""
        own = [groups for groups, _ in self.rows]
        lowest, width = _spread(own)
        if width > _SPARSE * sum(map(len, own)):
            groups = np.unique(np.concatenate(own))
            return groups, [np.searchsorted(groups, one) for one in own]
        return np.arange(lowest, lowest + width), [one - lowest for one in own]


_SPARSE = 16
"""Numbers of groups beyond so many a group are sorted, and not counted."""


def _spread(own: Sequence[NDArray[np.int64]]) -> tuple[int, int]:
    """The lowest group of all lists, which ascend, and how many numbers lie from it to the last."""
    some = [groups for groups in own if len(groups)]
    lowest = min((int(groups[0]) for groups in some), default=0)
    return lowest, max((int(groups[-1]) + 1 for groups in some), default=lowest) - lowest


def contributions(pairs: Sequence[Pair]) -> Contributions:
    """Contributions of all groups to the differences of ``pairs``, row k for pair k.

    c_ki is the candidate's influence less the baseline's over the number of gate samples, summed
    over a group.
    """
    return Contributions(tuple(pair.contributions for pair in pairs))
