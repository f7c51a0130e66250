"""Two figures beside every F1: what no model at all scores, and what a model without graphs does.

A graph network that loses to a regression on bags of nodes has learned nothing from the edges.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array, hstack
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from harness.metrics import f1_by_cut, f1_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.graphs.dataset import PackedGraphs
    from harness.graphs.splits import Split

MAX_ITERATIONS = 500
STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Inverse regularisation strengths to choose from on *select*."""


@dataclass(frozen=True)
class References:
    """Reference figures of one split; F1 of the vulnerable class on *gate*.

    Attributes:
        always_vulnerable: F1 of calling every graph vulnerable.
        regression: F1 of logistic regression on bags of node types and tokens.
        tokens: whether it looks at tokens, or at node types alone; chosen on *select*.
        threshold: probability above which the regression says vulnerable, chosen on *select*.
        strength: inverse regularisation strength, chosen on *select*.
        converged: whether the optimiser came to its end.
        iterations: of the optimiser.
    """

    always_vulnerable: float
    regression: float
    tokens: bool
    threshold: float
    strength: float
    converged: bool
    iterations: int


def always_vulnerable_f1(label: NDArray[np.integer]) -> float:
    """F1 of calling each of ``[G]`` graphs vulnerable: 2 p / (1 + p) at a positive share p."""
    return f1_score(label, np.ones_like(label))


def lowest_best_threshold(
    label: NDArray[np.integer], score: NDArray[np.floating]
) -> tuple[float, float]:
    """The threshold with the highest F1, and that F1; ``score >= threshold`` is vulnerable.

    Thresholds are halfway between neighbouring scores, and the lowest of equals is taken.
    """
    above, f1 = f1_by_cut(label, score)
    best = int(np.flatnonzero(f1 == f1.max())[-1])
    below = above[min(best + 1, len(above) - 1)]
    return float((above[best] + below) / 2), float(f1[best])


def bags(graphs: PackedGraphs) -> csr_array:
    """Counts of node types and tokens, ``[G, num_types + num_tokens]``, as ``log(1 + count)``."""
    count = len(graphs)
    owner = np.repeat(np.arange(count), graphs.num_nodes)
    parts = [
        csr_array((np.ones(len(owner)), (owner, ids.astype(np.int64))), shape=(count, size))
        for ids, size in (
            (graphs.node_type, graphs.info.num_types),
            (graphs.node_token, graphs.info.num_tokens),
        )
    ]
    joined = csr_array(hstack(parts, format="csr"))
    joined.sum_duplicates()
    joined.data = np.log1p(joined.data)
    return joined


def reference_scores(graphs: PackedGraphs, split: Split) -> dict[str, Any]:
    """The same as ``reference_figures``, as plain values to store."""
    return asdict(reference_figures(graphs, split))


def reference_figures(graphs: PackedGraphs, split: Split) -> References:
    """Fit the regression on *train*, choose on *select*, and score both references on *gate*.

    Columns are scaled by their root mean square on *train*; classes are weighted by inverse
    frequency. The regression is the best one on *select*, with tokens or without: where types
    tell what tokens only blur, the better figure is the fair one. The same split gives the same
    figures.
    """
    columns = bags(graphs)
    scale = np.sqrt(np.asarray(columns[split.train].power(2).mean(axis=0)).ravel())
    columns = csr_array(columns.multiply(1 / np.where(scale > 0, scale, 1.0)))
    types = columns[:, : graphs.info.num_types]
    label = np.asarray(graphs.label)
    fits = [_fit(bag, label, split, strength) for bag in (types, columns) for strength in STRENGTHS]
    best = max(fits, key=lambda fit: fit.f1)
    predicted = best.model.predict_proba(best.bag[split.gate])[:, 1] >= best.threshold
    iterations = int(best.model.n_iter_[0])
    return References(
        always_vulnerable=always_vulnerable_f1(label[split.gate]),
        regression=f1_score(label[split.gate], predicted),
        tokens=best.bag is columns,
        threshold=best.threshold,
        strength=float(best.model.C),
        converged=iterations < MAX_ITERATIONS,
        iterations=iterations,
    )


class _Fit(NamedTuple):
    model: LogisticRegression
    bag: csr_array
    threshold: float
    f1: float


def _fit(bag: csr_array, label: NDArray[np.int8], split: Split, strength: float) -> _Fit:
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=MAX_ITERATIONS)
    with warnings.catch_warnings():
        # Said in the result, where it can be shown.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(bag[split.train], label[split.train])
    score = model.predict_proba(bag[split.select])[:, 1]
    return _Fit(model, bag, *lowest_best_threshold(label[split.select], score))
