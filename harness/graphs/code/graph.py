"""What every language's reader gives: nodes in source order, and a graph made of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from harness.hashing import bucket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

MAX_TEXT_BYTES = 1 << 20
"""Longest source text that is parsed; a function of a megabyte is generated or hostile."""

SHOWN_CHARACTERS = 40
"""How much of a literal's text counts: long strings differ in what no graph can learn from."""


class UnreadableCodeError(ValueError):
    """A source text that gives no graph; the message is the reason, free of the text itself."""

    @classmethod
    def too_many_nodes(cls, max_nodes: int) -> UnreadableCodeError:
        """The error for a graph that is larger than wanted."""
        return cls(f"the graph has more than {max_nodes} nodes")


@dataclass(frozen=True)
class CodeGraph:
    """A graph of one function, ``N`` nodes and ``E`` edges, each edge stored in one direction.

    Attributes:
        node_type: ``[N]`` int32, id of the kind of syntax; 0 is a kind without an id.
        node_token: ``[N]`` int32, hash bucket of the node's text; 0 is "no text".
        edge_source: ``[E]`` int32, index of the source node.
        edge_target: ``[E]`` int32, index of the target node.
    """

    node_type: NDArray[np.int32]
    node_token: NDArray[np.int32]
    edge_source: NDArray[np.int32]
    edge_target: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.node_type)


@dataclass
class SyntaxTree:
    """Nodes of one function in pre-order, as a language's reader finds them.

    Attributes:
        kind: ``N`` ids of kinds of syntax.
        parent: ``N`` indices, each smaller than its own node's; -1 for a root.
        text: ``N`` texts of identifiers, literals and operators, "" where there is none.
        name: ``N`` names for next-use edges, "" where the node uses no name.
    """

    kind: list[int] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.kind)

    def add(self, kind: int, parent: int, text: str = "", name: str = "") -> int:
        """Append a node and return its index."""
        self.kind.append(kind)
        self.parent.append(parent)
        self.text.append(text[:SHOWN_CHARACTERS])
        self.name.append(name)
        return len(self.kind) - 1

    def key(self) -> str:
        """Hash what a graph shows of the function, 32 hexadecimal digits.

        Functions with the same kinds, structure and texts share a key: layout, comments and what
        else is left out of the tree make no difference.
        """
        digest = hashlib.sha256(np.asarray([self.kind, self.parent], dtype="<i4").tobytes())
        digest.update("\0".join(self.text).encode("utf-8", "replace"))
        return digest.hexdigest()[:32]


def token_id(text: str, num_tokens: int) -> int:
    """Map a text to ``1..num_tokens - 1``, and the empty text to 0."""
    return 1 + bucket(text, num_tokens - 1) if text else 0


def child_edges(tree: SyntaxTree) -> NDArray[np.int64]:
    """Edges ``[2, E]`` from each parent to its children."""
    parent = np.asarray(tree.parent, np.int64)
    child = np.flatnonzero(parent >= 0)
    return np.stack([parent[child], child])


def sibling_edges(tree: SyntaxTree) -> NDArray[np.int64]:
    """Edges ``[2, E]`` from each node to the next child of the same parent."""
    parent = np.asarray(tree.parent, np.int64)
    order = np.argsort(parent, kind="stable")
    order = order[parent[order] >= 0]
    same = parent[order[1:]] == parent[order[:-1]]
    return np.stack([order[:-1][same], order[1:][same]])


def next_leaf_edges(tree: SyntaxTree) -> NDArray[np.int64]:
    """Edges ``[2, E]`` from each leaf to the next one in source order."""
    inner = np.zeros(len(tree), bool)
    parent = np.asarray(tree.parent, np.int64)
    inner[parent[parent >= 0]] = True
    leaf = np.flatnonzero(~inner)
    return np.stack([leaf[:-1], leaf[1:]])


def next_use_edges(tree: SyntaxTree) -> NDArray[np.int64]:
    """Edges ``[2, E]`` from each use of a name to the next use of the same name.

    Source: Allamanis et al., "Learning to Represent Programs with Graphs", ICLR 2018.
    """
    last: dict[str, int] = {}
    pairs: list[tuple[int, int]] = []
    for place, name in enumerate(tree.name):
        if not name:
            continue
        if name in last:
            pairs.append((last[name], place))
        last[name] = place
    return np.asarray(pairs, np.int64).reshape(-1, 2).T


def join(tree: SyntaxTree, edges: Iterable[NDArray[np.int64]], num_tokens: int) -> CodeGraph:
    """Join nodes and edges ``[2, E]`` into a graph; an edge found twice is stored once.

    Edges run from the earlier node to the later one, so no edge is another one's reverse.
    """
    count = len(tree)
    found = np.concatenate([np.empty((2, 0), np.int64), *edges], axis=1)
    flat = np.unique(found[0] * count + found[1])
    source, target = np.divmod(flat, max(count, 1))
    tokens = [token_id(text, num_tokens) for text in tree.text]
    return CodeGraph(
        node_type=np.asarray(tree.kind, np.int32),
        node_token=np.asarray(tokens, np.int32),
        edge_source=source.astype(np.int32),
        edge_target=target.astype(np.int32),
    )
