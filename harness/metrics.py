"""Metrics of a binary classifier, and the threshold sweep on *select*."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Confusion:
    """Counts of a binary confusion matrix; positive is vulnerable."""

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int

    @classmethod
    def of(cls, label: NDArray[np.integer], predicted: NDArray[np.integer | np.bool_]) -> Confusion:
        """Count ``[m]`` labels against ``[m]`` predictions, both 0 or 1."""
        positive, said = label == 1, predicted == 1
        return cls(
            int(np.sum(positive & said)),
            int(np.sum(~positive & said)),
            int(np.sum(~positive & ~said)),
            int(np.sum(positive & ~said)),
        )

    @property
    def precision(self) -> float:
        """Share of the predicted vulnerable that are; 0 where none is predicted."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Share of the vulnerable that are found; 0 where there is none."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> float:
        """F1 of the vulnerable class; 0 where nothing is true or predicted."""
        wrong = self.false_positive + self.false_negative
        return _ratio(2 * self.true_positive, 2 * self.true_positive + wrong)

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of both classes."""
        safe_recall = _ratio(self.true_negative, self.true_negative + self.false_positive)
        return (self.recall + safe_recall) / 2


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def f1_score(label: NDArray[np.integer], predicted: NDArray[np.integer | np.bool_]) -> float:
    """F1 of the vulnerable class from ``[m]`` labels and predictions; 0 where nothing is either."""
    return Confusion.of(label, predicted).f1


def f1_by_cut(
    label: NDArray[np.integer], score: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distinct values of ``[m]`` scores, downwards, and F1 of calling all from each one up so."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order].astype(np.float64)
    found = np.cumsum(label[order] == 1)
    last_of_ties = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], [True]))
    f1 = 2 * found[last_of_ties] / (last_of_ties + 1 + max(int(found[-1]), 1))
    return ranked[last_of_ties], f1


def best_threshold(label: NDArray[np.integer], probability: NDArray[np.floating]) -> float:
    """Find the threshold on ``[m]`` probabilities with the largest F1.

    Every cut between two neighbouring distinct probabilities is tried, and the cut lies half-way
    between them. Among equal F1 the threshold nearest to 0.5 wins. A graph is predicted
    vulnerable if its probability is at least the threshold.
    """
    above, f1 = f1_by_cut(label, probability)
    below = np.append(above[1:], 0.0)
    middle = (above + below) / 2
    threshold = np.where(middle > below, middle, above)  # neighbouring floats have no middle
    best = np.flatnonzero(f1 == f1.max())
    return float(threshold[best[np.argmin(np.abs(threshold[best] - 0.5))]])


def predict(probability: NDArray[np.floating], threshold: float) -> NDArray[np.uint8]:
    """Predictions ``[m]``: 1 where the probability is at least the threshold."""
    return (probability.astype(np.float64) >= threshold).astype(np.uint8)


def auc(label: NDArray[np.integer], probability: NDArray[np.floating]) -> float:
    """Area under the ROC curve by the rank-sum formula; 0.5 where a class is missing.

    Source: Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982.
    """
    positive = label == 1
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return 0.5
    # A third of a second to load, and a report ranks nothing.
    from scipy.stats import rankdata  # noqa: PLC0415

    ranks = rankdata(probability)
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))
