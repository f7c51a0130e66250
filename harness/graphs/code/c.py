"""C and C++ functions to graphs: syntax tree, next-leaf and next-use edges, with tree-sitter.

Functions cut from their files need not compile, so the parser is one that goes on after errors.
Hostile texts make it take any amount of memory: what comes from outside is read through
``c_process``, in a process of its own.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import tree_sitter_c
import tree_sitter_cpp
from tree_sitter import Language, Parser

from harness.graphs.code.c_types import type_id
from harness.graphs.code.graph import (
    MAX_TEXT_BYTES,
    SyntaxTree,
    UnreadableCodeError,
    child_edges,
    join,
    next_leaf_edges,
    next_use_edges,
)

if TYPE_CHECKING:
    from tree_sitter import Node, Point, Tree

    from harness.graphs.code.graph import CodeGraph

Dialect = Literal["auto", "c", "cpp"]
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)

MAX_SECONDS = 5.0
"""Processor time for one text; honest functions take milliseconds."""

# Kinds that show their whole text and hide what is inside of them: literals as they are, words
# with one blank between them.
_LITERALS = frozenset({"string_literal", "raw_string_literal", "char_literal", "system_lib_string"})
_WORDS = frozenset({"sized_type_specifier", "operator_name", "preproc_arg"})
# Kinds whose meaning is in a sign that the grammar gives no node: the sign is their text.
_SIGNED = frozenset({
    "binary_expression", "assignment_expression", "unary_expression", "update_expression",
    "pointer_expression", "field_expression", "fold_expression",
})  # fmt: skip
_NAMES = frozenset({"identifier", "field_identifier"})
_ERROR = type_id("ERROR")


@dataclass(frozen=True)
class CFunction:
    """What is read from one text.

    Attributes:
        tree: nodes in source order, comments and punctuation left out.
        name: of the first function defined, "" where there is none. A test macro such as
            ``TEST_F(Suite, Case)`` is no name by itself and is given whole.
    """

    tree: SyntaxTree
    name: str


class CParser:
    """Parses functions of one dialect, or of both.

    With ``auto`` a text is read as C++, of which nearly all C is a part; where that leaves
    errors it is read as C too, and the reading with fewer errors is kept.
    """

    def __init__(self, dialect: Dialect = "auto") -> None:
        grammars = {"c": tree_sitter_c.language, "cpp": tree_sitter_cpp.language}
        wanted = ("cpp", "c") if dialect == "auto" else (dialect,)
        self._parsers = [Parser(Language(grammars[name]())) for name in wanted]

    def read(self, code: bytes, max_nodes: int) -> CFunction:
        """List the nodes of a text in pre-order, without recursion.

        Raises:
            UnreadableCodeError: if the text is too long, takes too long to parse, or has more
                than ``max_nodes`` nodes.
        """
        if len(code) > MAX_TEXT_BYTES:
            raise UnreadableCodeError("the text is longer than 1 MiB")
        found: list[CFunction] = []
        for parser in self._parsers:
            root = _parse(parser, code).root_node
            found.append(CFunction(_nodes(root, code, max_nodes), _function_name(root, code)))
            if not root.has_error:
                return found[-1]
        return min(found, key=lambda function: function.tree.kind.count(_ERROR))


def graph(tree: SyntaxTree, num_tokens: int) -> CodeGraph:
    """Join the nodes with child, next-leaf and next-use edges."""
    return join(tree, (child_edges(tree), next_leaf_edges(tree), next_use_edges(tree)), num_tokens)


def _parse(parser: Parser, code: bytes) -> Tree:
    end = time.thread_time() + MAX_SECONDS

    def piece(offset: int, _point: Point) -> bytes:
        return code[offset : offset + (1 << 16)]

    def over(_offset: int, _has_error: bool) -> bool:  # noqa: FBT001 - tree-sitter's signature
        return time.thread_time() > end

    try:
        return parser.parse(piece, progress_callback=over)
    except ValueError as error:
        parser.reset()
        raise UnreadableCodeError("the text takes too long to parse") from error


def _nodes(root: Node, code: bytes, max_nodes: int) -> SyntaxTree:
    tree = SyntaxTree()
    todo: list[tuple[Node, int]] = [(root, -1)]
    while todo:
        node, parent = todo.pop()
        kind = node.type
        if len(tree) >= max_nodes:
            raise UnreadableCodeError.too_many_nodes(max_nodes)
        whole = kind in _LITERALS or kind in _WORDS
        inside = [] if whole else [one for one in node.named_children if one.type != "comment"]
        text = ""
        if not inside:
            text = _leaf_text(node, kind, code)
        elif kind in _SIGNED:
            text = _sign(node)
        here = tree.add(type_id(kind), parent, text, text if kind in _NAMES else "")
        todo += [(child, here) for child in reversed(inside)]
    return tree


def _function_name(root: Node, code: bytes) -> str:
    todo = [root]
    while todo:
        node = todo.pop()
        if node.type == "function_declarator":
            name = node.child_by_field_name("declarator")
            if name is None:
                return ""
            macro = name.type == "identifier" and _text(name, code).isupper()
            whole = node if macro else name
            return " ".join(_text(whole, code).split())
        # Bodies are not searched: the name stands before them.
        inside = [child for child in node.named_children if child.type != "compound_statement"]
        todo.extend(reversed(inside))
    return ""


def _leaf_text(node: Node, kind: str, code: bytes) -> str:
    if kind in _WORDS:
        return " ".join(_text(node, code).split())
    if kind in _LITERALS or not node.child_count:
        text = _text(node, code)
        return f".{text}" if kind == "field_identifier" else text
    # Only signs and words without a node, such as "static" or "( )": layout is no part of them.
    return " ".join(one.type for one in node.children if not one.is_named)


def _text(node: Node, code: bytes) -> str:
    return code[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _sign(node: Node) -> str:
    sign = node.child_by_field_name("operator")
    return "" if sign is None else sign.type
