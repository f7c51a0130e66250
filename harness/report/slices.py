"""Where a model fails systematically: its predictions on *gate*, slice by slice."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.metrics import Confusion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.graphs.dataset import PackedGraphs
    from harness.matrix.store import GateScores

FIFTHS: Final = 5
FEWEST_POSITIVES: Final = 10
"""Different vulnerable graphs that a slice must hold to be judged."""
MOST_NAMES: Final = 12
_ALWAYS_SAFE: Final = 0.01
_ERRORS: Final = 3.0
_GAP: Final = 0.15


@dataclass(frozen=True)
class Slice:
    """Predictions on one part of the gate graphs, those of all seeds together.

    Attributes:
        name: what the graphs have in common.
        graphs: different ones.
        positives: different vulnerable ones.
        seen: predictions, one for each seed whose gate holds the graph.
        confusion: of all predictions.
    """

    name: str
    graphs: int
    positives: int
    seen: int
    confusion: Confusion

    @property
    def predicted(self) -> float:
        """Share that is predicted vulnerable."""
        one = self.confusion
        return (one.true_positive + one.false_positive) / max(self.seen, 1)

    @property
    def share(self) -> float:
        """Share that is vulnerable."""
        one = self.confusion
        return (one.true_positive + one.false_negative) / max(self.seen, 1)

    def failure(self, rest: Slice) -> str | None:
        """What is wrong here and not elsewhere, in one sentence; None if nothing surely is.

        Recall must be lower by 15 points and by three standard errors, counted over different
        graphs, since those that several seeds read are right or wrong together.
        """
        if self.positives < FEWEST_POSITIVES or rest.positives < FEWEST_POSITIVES:
            return None
        here, there = self.confusion.recall, rest.confusion.recall
        said = (
            f"recall {here:.2f} there and {there:.2f} elsewhere, predicted vulnerable "
            f"{self.predicted:.1%} where {self.share:.1%} are"
        )
        if self.predicted < _ALWAYS_SAFE and rest.predicted >= _ALWAYS_SAFE:
            return f"always predicts safe for {self.name}: {said}"
        both = (here * self.positives + there * rest.positives) / (self.positives + rest.positives)
        error = math.sqrt(both * (1 - both) * (1 / self.positives + 1 / rest.positives))
        if there - here > max(_GAP, _ERRORS * error):
            return f"misses vulnerable graphs among {self.name}: {said}"
        return None


@dataclass(frozen=True)
class Predictions:
    """Gate predictions of several seeds on one data set.

    Attributes:
        index: ``[m]`` places in the data set; a graph that several gates hold stands several times.
        label: ``[m]``.
        predicted: ``[m]``.
    """

    index: NDArray[np.int64]
    label: NDArray[np.uint8]
    predicted: NDArray[np.uint8]

    @classmethod
    def of(cls, gates: Sequence[GateScores]) -> Predictions:
        """Join those of several trials."""
        names = ("index", "label", "predicted")
        return cls(*(np.concatenate([getattr(gate, name) for gate in gates]) for name in names))

    def slice(self, name: str, inside: NDArray[np.bool_]) -> Slice:
        """The part at ``inside`` ``[m]``."""
        index, label = self.index[inside], self.label[inside]
        return Slice(
            name,
            _distinct(index),
            _distinct(index[label == 1]),
            len(index),
            Confusion.of(label, self.predicted[inside]),
        )


def _distinct(index: NDArray[np.int64]) -> int:
    # np.unique hashes integers since numpy 2.3, at ten times the price of sorting so few.
    ordered = np.sort(index)
    return len(index) and 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def by_size(seen: Predictions, nodes: NDArray[np.int64]) -> Iterator[tuple[Slice, Slice]]:
    """Fifths by ``nodes`` ``[G]``, the smallest first, each with the rest."""
    sizes = nodes[seen.index]
    edges = np.unique(np.quantile(sizes, np.linspace(0, 1, FIFTHS + 1), method="higher"))
    starts = edges[:-1] if len(edges) > 1 else edges
    for low, end in itertools.pairwise([*starts, edges[-1] + 1]):
        inside = (sizes >= low) & (sizes < end)
        name = f"graphs of {low} to {end - 1} nodes"
        yield seen.slice(name, inside), seen.slice("the rest", ~inside)


def by_tag(
    seen: Predictions, tag: str, code: NDArray[np.integer], names: Sequence[str]
) -> Iterator[tuple[Slice, Slice]]:
    """The most frequent names of a tag, such as CWE or language, each with the rest.

    Args:
        seen: the predictions.
        tag: what the names are names of.
        code: ``[G]`` place of each graph's name in ``names``.
        names: "" stands for graphs that have none.
    """
    codes = code[seen.index]
    count = np.bincount(codes, minlength=len(names))
    for place in np.argsort(-count, kind="stable")[:MOST_NAMES]:
        if count[place] and names[place]:
            inside = codes == place
            yield seen.slice(f"{tag} {names[place]}", inside), seen.slice("the rest", ~inside)


def all_slices(seen: Predictions, graphs: PackedGraphs) -> Mapping[str, list[tuple[Slice, Slice]]]:
    """Slices by size and by every tag that the data have, each with the rest."""
    found = {"size": list(by_size(seen, graphs.num_nodes))}
    for tag, names in graphs.info.tags.items():
        found[tag] = list(by_tag(seen, tag, graphs.tags[tag], names))
    return found
