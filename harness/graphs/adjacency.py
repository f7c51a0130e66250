"""Neighbour lists of a batch in compressed rows, off which layers read sums without messages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.graphs import joining

if TYPE_CHECKING:
    from numpy.typing import NDArray

TILE = 512
"""Nodes whose states, a few hundred wide, stay in a core's cache of some MiB."""


@dataclass(frozen=True)
class Rows:
    """For each of ``N`` rows some places of a table, one row after the other.

    Attributes:
        ends: ``[N + 1]`` int32; row ``i`` has the entries ``ends[i]:ends[i + 1]``.
        index: ``[E]`` int32, the place that each entry names.
    """

    ends: torch.Tensor
    index: torch.Tensor

    @classmethod
    def sorted(cls, key: NDArray[np.int32], value: NDArray[np.int32], rows: int) -> Rows:
        """Row ``key[e]`` holds ``value[e]``, for all ``e``; keys are in ``range(rows)``."""
        ends, index = joining.sort_by(key, value, rows)
        return cls(torch.from_numpy(ends), torch.from_numpy(index))

    @cached_property
    def row(self) -> torch.Tensor:
        """``[E]`` int64, the row of each entry."""
        return torch.from_numpy(joining.spread(self.ends.numpy()))

    @cached_property
    def length(self) -> torch.Tensor:
        """``[N]`` float32, entries of each row."""
        return (self.ends[1:] - self.ends[:-1]).float()

    def weighed(self, of_row: torch.Tensor, of_index: torch.Tensor) -> torch.Tensor:
        """``[E]``, for each entry its row's factor times that of what it names, ``[N]`` each."""
        found = joining.weigh(
            self.ends.numpy(), self.index.numpy(), of_row.numpy(), of_index.numpy()
        )
        return torch.from_numpy(found)

    @cached_property
    def with_self(self) -> Rows:
        """The same with each row's own place before the others: ``[E + N]`` entries."""
        ends, index = joining.with_self(self.ends.numpy(), self.index.numpy())
        return Rows(torch.from_numpy(ends), torch.from_numpy(index))


@dataclass(frozen=True)
class Words:
    """The ``V = T + K`` distinct node types and tokens of a batch.

    A linear map of a node's embedding, which is a sum of two, is the sum of those of its words.

    Attributes:
        types: ``[T]`` int64.
        tokens: ``[K]`` int64.
        of_kind: ``[U, 2]`` int32, the places of each kind's two words among types and then tokens.
    """

    types: torch.Tensor
    tokens: torch.Tensor
    of_kind: torch.Tensor


@dataclass(frozen=True)
class Kinds:
    """The ``U`` distinct pairs of node type and token of a batch.

    What depends on a node's own ids alone is the same for all nodes of a kind, and there are far
    fewer kinds than nodes.

    Attributes:
        x: ``[U, 2]`` int64, node type and token.
        of_node: ``[N]`` int32, the kind of each node.
    """

    x: torch.Tensor
    of_node: torch.Tensor

    @cached_property
    def nodes(self) -> Rows:
        """The nodes of each kind."""
        kind = self.of_node.numpy()
        return Rows.sorted(kind, np.arange(len(kind), dtype=np.int32), len(self.x))

    @cached_property
    def words(self) -> Words:
        """What the kinds are pairs of."""
        return Words(*map(torch.from_numpy, joining.find_words(self.x.numpy())))


@dataclass(frozen=True)
class Aggregation:
    """A weighted sum over rows, and its transpose: a linear map of node features.

    Attributes:
        rows: what is summed at each node.
        weight: ``[E]`` float32 of each entry, None for 1.
        transposed: for each node, the nodes in whose sums it stands.
        transposed_weight: ``[E]``, likewise.
    """

    rows: Rows
    weight: torch.Tensor | None
    transposed: Rows
    transposed_weight: torch.Tensor | None


@dataclass(frozen=True)
class Neighbours:
    """The edges of one batch of ``N`` nodes as rows, on the CPU.

    Self-loops of the data are kept as they are; layers that add their own say so.

    Attributes:
        into: for each node, the nodes that its edges come from.
        out_of: for each node, the nodes that its edges lead to; the same where the adjacency is
            its own transpose.
        graph_ptr: ``[B + 1]`` int32; graph ``i`` has the nodes ``graph_ptr[i]:graph_ptr[i + 1]``.
        kinds: the distinct nodes.
        self_loops: whether some edge leads from a node to itself.
    """

    into: Rows
    out_of: Rows
    graph_ptr: torch.Tensor
    kinds: Kinds
    self_loops: bool

    @cached_property
    def tiles(self) -> NDArray[np.int64]:
        """``[T + 1]``, bounds of runs of whole graphs of about ``TILE`` nodes each."""
        return joining.tile(self.graph_ptr.numpy(), TILE)

    @cached_property
    def summed(self) -> Aggregation:
        """The sum over incoming edges."""
        return Aggregation(self.into, None, self.out_of, None)

    @cached_property
    def summed_with_self(self) -> Aggregation:
        """The sum over incoming edges and the node itself."""
        return Aggregation(self.into.with_self, None, self.out_of.with_self, None)

    @cached_property
    def averaged(self) -> Aggregation:
        """The mean over incoming edges, 0 where there are none."""
        share = self.into.length.clamp(min=1).reciprocal()
        rows, back, whole = self.into, self.out_of, torch.ones_like(share)
        return Aggregation(rows, rows.weighed(share, whole), back, back.weighed(whole, share))

    @cached_property
    def normalised(self) -> Aggregation:
        """The sum over incoming edges and the node itself, over the roots of both degrees.

        Source: Kipf and Welling, "Semi-Supervised Classification with Graph Convolutional
        Networks", ICLR 2017, equation 2.
        """
        rows = self.into.with_self
        root = rows.length.rsqrt()
        weight = rows.weighed(root, root)
        if self.out_of is self.into:
            return Aggregation(rows, weight, rows, weight)
        back = self.out_of.with_self
        return Aggregation(rows, weight, back, back.weighed(root, root))
