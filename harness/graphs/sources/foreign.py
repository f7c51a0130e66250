"""Graphs as other programs write them into JSON: nodes of several forms, edges of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.graphs.code import tokens
from harness.graphs.code.graph import CodeGraph, token_id
from harness.hashing import bucket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from harness.graphs.sources.records import Record

EdgeLayout = Literal["auto", "rows", "pairs"]

_FIRST_TYPE = tokens.NUM_TYPES
_TYPE_FIELDS = ("type", "node_type", "kind")
_TEXT_FIELDS = ("text", "token", "value", "code", "name")
_ENDS = 2


class ForeignGraphs:
    """Reads ``ast_nodes`` and ``edge_index`` of records of one file.

    Ids below 16 are those of tokens, for texts without a tree; a node type's own id or hash
    comes after them.

    Args:
        num_types: size of the node-type vocabulary.
        num_tokens: size of the token vocabulary.
        edges: layout of ``edge_index``; with ``auto`` the first record that can be read in one
            way only settles it for those that could be read in both.
        symmetric: each pair of nodes is joined at most once, and no node with itself.
    """

    def __init__(
        self, num_types: int, num_tokens: int, edges: EdgeLayout, *, symmetric: bool
    ) -> None:
        self._num_types = num_types
        self._num_tokens = num_tokens
        self._edges = edges
        self._symmetric = symmetric
        self._settled: EdgeLayout = "rows" if edges == "auto" else edges

    def read(self, record: Record) -> CodeGraph:
        """Read one record's graph.

        Raises:
            DataError: naming the field that cannot be read.
        """
        nodes = record.values["ast_nodes"]
        if not isinstance(nodes, list):
            raise record.error("is not a list", "ast_nodes")
        pairs = list(self._nodes(record, nodes))
        source, target = self._pairs(record, len(nodes))
        return CodeGraph(
            node_type=np.asarray([kind for kind, _ in pairs], np.int32),
            node_token=np.asarray([token for _, token in pairs], np.int32),
            edge_source=source.astype(np.int32),
            edge_target=target.astype(np.int32),
        )

    def _nodes(self, record: Record, nodes: list[Any]) -> Iterator[tuple[int, int]]:
        for node in nodes:
            kind, text = node, ""
            if isinstance(node, dict):
                kind = _first(node, _TYPE_FIELDS)
                found = _first(node, _TEXT_FIELDS)
                text = found if isinstance(found, str) else ""
            yield self._type(record, kind), token_id(text, self._num_tokens)

    def _type(self, record: Record, kind: Any) -> int:
        room = self._num_types - _FIRST_TYPE
        if isinstance(kind, str):
            return _FIRST_TYPE + bucket(kind, room)
        if isinstance(kind, int) and not isinstance(kind, bool):
            if 0 <= kind < room:
                return _FIRST_TYPE + kind
            raise record.error(
                f"has a node type outside of range({room}): set num_types", "ast_nodes"
            )
        raise record.error(
            "has a node that is no name, no id and no object with a type", "ast_nodes"
        )

    def _pairs(self, record: Record, count: int) -> NDArray[np.int64]:
        value = record.values.get("edge_index")
        if not isinstance(value, list):
            raise record.error("is missing or is not a list", "edge_index")
        if not all(isinstance(row, list) for row in value):
            raise record.error("is not a list of lists", "edge_index")
        rows = self._rows(record, value)
        flat = [end for row in rows for end in row]
        if not all(type(end) is int and 0 <= end < count for end in flat):
            raise record.error("names a node that the graph does not have", "edge_index")
        edges = np.asarray(flat, np.int64).reshape(_ENDS, -1)
        if not self._symmetric:
            return edges
        edges = np.sort(edges, axis=0)
        edges = np.unique(edges[:, edges[0] != edges[1]], axis=1)
        return edges.astype(np.int64)

    def _rows(self, record: Record, value: list[list[Any]]) -> list[list[Any]]:
        """The two rows ``[2, E]`` of an ``edge_index`` of either layout."""
        if not value:
            return [[], []]
        rows = len(value) == _ENDS and len(value[0]) == len(value[1])
        pairs = all(len(row) == _ENDS for row in value)
        if self._edges == "auto" and rows != pairs:
            self._settled = "rows" if rows else "pairs"
        if rows and (self._settled == "rows" or not pairs) and self._edges != "pairs":
            return value
        if pairs and self._edges != "rows":
            return [[row[0] for row in value], [row[1] for row in value]]
        raise record.error("is neither [2, E] nor a list of pairs", "edge_index")


def _first(values: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((values[name] for name in names if values.get(name) is not None), None)
