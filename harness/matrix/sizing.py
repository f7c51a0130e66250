"""The choice of a batch size, from the sizes of graphs, a model's footprint and the memory.

Larger batches are not better for learning: with as many epochs they are fewer steps, and the best
results of small and large batches are the small ones' (Masters and Luschi, "Revisiting Small Batch
Training for Deep Neural Networks", 2018). So there is a cap, and an epoch keeps some steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.graphs.dataset import PackedGraphs
    from harness.matrix.footprint import Footprint

MOST: Final = 256
FEWEST: Final = 16
"""What the number of steps an epoch does not push below; memory may."""
STEPS: Final = 20
SHARE: Final = 0.5
"""Of the memory: the rest is for features, evaluation and what other programs will want."""

_TRAINED: Final = 0.6  # of a data set, by the protocol of splits
_DEVIATIONS: Final = 3.0  # above the mean, the largest of some hundred batches
_KIB, _UNITS = 1024, ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class GraphSizes:
    """How large the graphs of a data set are.

    Attributes:
        train: graphs that are trained on.
        mean: nodes of a graph.
        sd: standard deviation of the nodes.
        median: half of the graphs have at most so many nodes.
        p95: 95 % have.
        most: of the largest graph.
        edges: directed edges a node.
    """

    train: int
    mean: float
    sd: float
    median: int
    p95: int
    most: int
    edges: float

    @classmethod
    def of(cls, graphs: PackedGraphs) -> GraphSizes:
        """Read them off a data set's pointers."""
        nodes = graphs.num_nodes
        edges = len(graphs.edge_source) * (2 if graphs.info.symmetric else 1)
        median, p95 = np.quantile(nodes, [0.5, 0.95])
        return cls(
            train=round(_TRAINED * len(graphs)),
            mean=float(nodes.mean()),
            sd=float(nodes.std()),
            median=int(median),
            p95=int(p95),
            most=int(nodes.max()),
            edges=edges / max(int(nodes.sum()), 1),
        )

    def nodes(self, graphs: int, most_nodes: int = 0) -> float:
        """Nodes of the largest batch that is to be expected with so many graphs."""
        expected = graphs * self.mean + _DEVIATIONS * self.sd * math.sqrt(graphs)
        expected = min(expected, float(graphs * self.most))
        if most_nodes:
            expected = min(expected, most_nodes)
        return max(expected, float(self.most))

    def steps(self, graphs: int, most_nodes: int = 0) -> int:
        """Batches of an epoch, about."""
        by_nodes = self.train * self.mean / most_nodes if most_nodes else 0.0
        return math.ceil(max(self.train / graphs, by_nodes))


@dataclass(frozen=True)
class BatchSize:
    """A batch size and what it takes in the run that needs most.

    Attributes:
        size: graphs a batch.
        bytes: of the largest batch to be expected, estimated.
        memory: bytes that a trial may use.
        steps: an epoch, about.
        sizes: of the graphs.
        what: the run that needs most.
        why: what keeps it from being larger.
    """

    size: int
    bytes: float
    memory: int
    steps: int
    sizes: GraphSizes
    what: str
    why: str

    @property
    def fits(self) -> bool:
        """Whether the estimate stays within its share of the memory."""
        return self.bytes <= SHARE * self.memory

    def lines(self) -> Iterator[str]:
        """The choice and its reason, readable at 80 columns."""
        sizes = self.sizes
        yield (
            f"batch size {self.size}: about {amount(self.bytes)} of {amount(self.memory)}, "
            f"{self.steps} steps an epoch"
        )
        yield f"  {self.why}"
        yield (
            f"  graphs have {sizes.median} nodes by median, {sizes.p95} at 95 %, {sizes.most} at "
            f"most, and {sizes.edges:.1f} edges a node"
        )
        yield f"  most memory is needed by {self.what}"
        if not self.fits:
            yield "  more than half of the memory: take fewer --jobs, or --batch-nodes"


def choose(
    runs: Mapping[str, tuple[GraphSizes, Footprint]], memory: int, *, most_nodes: int = 0,
    fixed: int | None = None,
) -> BatchSize:  # fmt: skip
    """Choose one batch size for some runs: the smallest of theirs.

    Each run's is the largest power of two that stays below half of the memory, within a cap, and
    with enough steps an epoch where the data have that many graphs.

    Args:
        runs: graphs and model of each, by its name; at least one.
        memory: bytes that a trial may use.
        most_nodes: of a batch; 0 is no limit.
        fixed: take this size, and only say what it needs.
    """
    wanted = {what: _largest(*run, memory, most_nodes) for what, run in runs.items()}
    least = min(wanted, key=lambda what: wanted[what][0])
    size, why = wanted[least]
    if fixed is not None:
        size, why = fixed, "as it was chosen when this folder was begun"

    def need(what: str) -> float:
        sizes, footprint = runs[what]
        return footprint.of(sizes.nodes(size, most_nodes))

    most = max(runs, key=need)
    return BatchSize(
        size=size,
        bytes=need(most),
        memory=memory,
        steps=min(sizes.steps(size, most_nodes) for sizes, _ in runs.values()),
        sizes=runs[most][0],
        what=most,
        why=why,
    )


def _largest(
    sizes: GraphSizes, footprint: Footprint, memory: int, most_nodes: int
) -> tuple[int, str]:
    """The size of one run, and what keeps it from being larger."""
    by_steps = max(FEWEST, 1 << max(sizes.train // STEPS, 1).bit_length() - 1)
    if sizes.train < STEPS * FEWEST:
        why = f"not larger: the data are few, and an epoch wants {STEPS} steps"
    elif by_steps < MOST:
        why = f"not larger: an epoch keeps {STEPS} steps"
    else:
        why = "not larger: beyond this, larger batches are no better for learning"
    size = min(by_steps, MOST)
    while size > 1 and footprint.of(sizes.nodes(size, most_nodes)) > SHARE * memory:
        size //= 2
        why = "not larger: it stays below half of the memory"
    return size, why


def amount(size: float) -> str:
    """Bytes as people say them: ``310 MiB``, ``11.2 GiB``."""
    power = 0
    while size >= _KIB and power + 1 < len(_UNITS):
        size, power = size / _KIB, power + 1
    return f"{size:.0f} {_UNITS[power]}" if power <= 2 else f"{size:.1f} {_UNITS[power]}"  # noqa: PLR2004 - finer from GiB up
