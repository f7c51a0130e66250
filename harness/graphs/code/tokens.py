"""Texts without a syntax tree to graphs: a sequence of tokens with next-use edges.

The lexical rules are those of C and its relatives. They hold well enough for any language, since
nothing is rejected: a sign that fits no rule is a token of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.graphs.code.graph import (
    MAX_TEXT_BYTES,
    SyntaxTree,
    UnreadableCodeError,
    join,
    next_leaf_edges,
    next_use_edges,
)

if TYPE_CHECKING:
    from harness.graphs.code.graph import CodeGraph

# A token's type is the place of its rule here plus one; "skip" is last and gives no token.
TOKEN_TYPES = ("name", "number", "string", "character", "operator", "other")
NUM_TYPES = 16
"""Size of the vocabulary of token types: id 0, the table, and room for it to grow."""

# Possessive repeats: a quote that is never closed costs one pass over its line, not many.
_TOKEN = re.compile(
    r"""
    (?P<skip>\s++|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?)
    |(?P<name>[^\W\d]\w*+)
    |(?P<number>\.?\d(?:[eEpP][+-]|[\w.])*+)
    |(?P<string>"(?:\\.|[^"\\\n])*+"?)
    |(?P<character>'(?:\\.|[^'\\\n])*+'?)
    |(?P<operator><<=|>>=|\.\.\.|->|::|\+\+|--|<<|>>|&&|\|\||[-+*/%&|^=!<>]=|[-+*/%&|^=!<>~?:.])
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_IDS = {name: place for place, name in enumerate(TOKEN_TYPES, start=1)}


def read(text: str, max_nodes: int) -> SyntaxTree:
    """List the tokens of a text, comments left out; every token is a root of its own.

    Raises:
        UnreadableCodeError: if the text is too long or has more than ``max_nodes`` tokens.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise UnreadableCodeError("the text is longer than 1 MiB")
    tree = SyntaxTree()
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind == "skip":
            continue
        if len(tree) >= max_nodes:
            raise UnreadableCodeError.too_many_nodes(max_nodes)
        found = match.group()
        tree.add(_IDS[kind], -1, found, found if kind == "name" else "")
    return tree


def graph(tree: SyntaxTree, num_tokens: int) -> CodeGraph:
    """Join the tokens with next-token and next-use edges."""
    return join(tree, (next_leaf_edges(tree), next_use_edges(tree)), num_tokens)
