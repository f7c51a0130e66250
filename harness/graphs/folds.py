"""Stratified folds of groups: scikit-learn's, to the graph, without its objects and in a fiftieth.

``StratifiedGroupKFold`` keeps a Python number for each group and each graph and weighs each fold
of each group by a dozen numpy calls: 150 s for a million graphs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.compiled import compiled_exactly

if TYPE_CHECKING:
    from numpy.typing import NDArray

# As in numpy's ``isclose``, which breaks scikit-learn's ties.
_RELATIVE, _ABSOLUTE = 1e-5, 1e-8


def stratified_group_folds(
    label: NDArray[np.integer], group: NDArray[np.integer], folds: int, seed: int
) -> NDArray[np.int64]:
    """The fold ``[G]`` of each graph, in ``range(folds)``.

    Equal to ``sklearn.model_selection.StratifiedGroupKFold(folds, shuffle=True,
    random_state=seed)``: groups in random order, those of the most uneven classes first, each into
    the fold that leaves the shares of the classes the most even.

    Args:
        label: ``[G]`` classes.
        group: ``[G]``; a group lies in one fold as a whole.
        folds: how many.
        seed: of the order.
    """
    _, classes, per_class = np.unique(label, return_inverse=True, return_counts=True)
    names, groups = np.unique(group, return_inverse=True)
    flat = np.bincount(groups * len(per_class) + classes, minlength=len(names) * len(per_class))
    counts = flat.reshape(len(names), len(per_class)).astype(np.float64)
    order = np.arange(len(names))
    np.random.RandomState(seed).shuffle(order)
    counts = counts[order]
    by_evenness = np.argsort(-np.std(counts, axis=1), kind="stable")
    fold = np.empty(len(names), np.int64)
    fold[order[by_evenness]] = _assign(counts[by_evenness], per_class.astype(np.float64), folds)
    return fold[groups]


@compiled_exactly
def _assign(counts: NDArray[Any], per_class: NDArray[Any], folds: int) -> NDArray[Any]:
    """The fold of each group, in the order of ``counts`` ``[groups, classes]``."""
    classes = counts.shape[1]
    held = np.zeros((folds, classes))
    fold = np.empty(len(counts), np.int64)
    for one in range(len(counts)):
        best, least, fewest = 0, np.inf, np.inf
        for place in range(folds):
            uneven, samples = 0.0, 0.0
            for kind in range(classes):
                samples += held[place, kind]
                held[place, kind] += counts[one, kind]
                mean = 0.0
                for each in range(folds):
                    mean += held[each, kind] / per_class[kind]
                mean /= folds
                squares = 0.0
                for each in range(folds):
                    apart = held[each, kind] / per_class[kind] - mean
                    squares += apart * apart
                held[place, kind] -= counts[one, kind]
                uneven += np.sqrt(squares / folds)
            uneven /= classes
            tie = abs(uneven - least) <= _ABSOLUTE + _RELATIVE * least and least < np.inf
            if uneven < least or (tie and samples < fewest):
                best, least, fewest = place, uneven, samples
        fold[one] = best
        held[best] += counts[one]
    return fold
