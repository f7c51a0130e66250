"""Python functions to graphs, with ``ast`` alone.

The graph is the syntax tree with next-sibling and next-use edges, and an edge from each statement
to the names and attributes in it. A node without a text of its own shows the role that it has in
its parent, such as ``<test>`` or ``<body>``: the tree alone does not tell one from the other.
"""

from __future__ import annotations

import ast
import gc
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from harness.graphs.code.graph import (
    MAX_TEXT_BYTES,
    SyntaxTree,
    UnreadableCodeError,
    child_edges,
    join,
    next_use_edges,
    sibling_edges,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from harness.graphs.code.graph import CodeGraph

# A node's id is its place here plus one. Names are only ever appended, so that ids stay what they
# are from one version of Python and of the harness to the next. Load, Store and Del are left out:
# the parent says as much.
NODE_TYPES = (
    *("Module", "FunctionDef", "AsyncFunctionDef", "ClassDef", "Return", "Delete", "Assign"),
    *("AugAssign", "AnnAssign", "For", "AsyncFor", "While", "If", "With", "AsyncWith", "Match"),
    *("Raise", "Try", "TryStar", "Assert", "Import", "ImportFrom", "Global", "Nonlocal", "Expr"),
    *("Pass", "Break", "Continue", "BoolOp", "NamedExpr", "BinOp", "UnaryOp", "Lambda", "IfExp"),
    *("Dict", "Set", "ListComp", "SetComp", "DictComp", "GeneratorExp", "Await", "Yield"),
    *("YieldFrom", "Compare", "Call", "FormattedValue", "JoinedStr", "Constant", "Attribute"),
    *("Subscript", "Starred", "Name", "List", "Tuple", "Slice", "And", "Or", "Add", "Sub", "Mult"),
    *("MatMult", "Div", "Mod", "Pow", "LShift", "RShift", "BitOr", "BitXor", "BitAnd", "FloorDiv"),
    *("Invert", "Not", "UAdd", "USub", "Eq", "NotEq", "Lt", "LtE", "Gt", "GtE", "Is", "IsNot"),
    *("In", "NotIn", "comprehension", "ExceptHandler", "arguments", "arg", "keyword", "alias"),
    *("withitem", "match_case", "MatchValue", "MatchSingleton", "MatchSequence", "MatchMapping"),
    *("MatchClass", "MatchStar", "MatchAs", "MatchOr", "TypeAlias", "TypeVar", "ParamSpec"),
    *("TypeVarTuple", "TemplateStr", "Interpolation"),
)
NUM_TYPES = 128
"""Size of the vocabulary of node types: id 0, the table, and room for the table to grow."""

_NO_NODES = frozenset({"ctx", "id", "attr", "kind", "type_comment", "type_ignores", "simple"})
_STATEMENTS = ("body", "handlers", "cases", "orelse", "finalbody")
_KINDS: dict[type[ast.AST], int] = {
    getattr(ast, name): place
    for place, name in enumerate(NODE_TYPES, start=1)
    if hasattr(ast, name)  # later versions of Python have more
}
_NODE_FIELDS = {
    kind: tuple((name, f"<{name}>") for name in kind._fields if name not in _NO_NODES)
    for kind in _KINDS
}
_STATEMENT_KINDS = frozenset(place for kind, place in _KINDS.items() if issubclass(kind, ast.stmt))
_USE_KINDS = frozenset({_KINDS[ast.Name], _KINDS[ast.Attribute]})
# The bodies of a lambda and of a conditional expression are expressions.
_STATEMENT_FIELDS = {
    kind: tuple(name for name in _STATEMENTS if name in kind._fields)
    for kind in _KINDS
    if kind not in (ast.Lambda, ast.IfExp)
}


def parse(text: str | bytes) -> ast.Module:
    """Parse Python source text, which may be indented as a whole, as a method cut from its class.

    Raises:
        UnreadableCodeError: if it is no Python of this interpreter's version, or too long.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise UnreadableCodeError("the text is longer than 1 MiB")
    indented = isinstance(text, str) and text.lstrip("\r\n")[:1] in (" ", "\t")
    with _no_collection(), warnings.catch_warnings():
        # Invalid escape sequences in what is read are not this program's to report.
        warnings.simplefilter("ignore")
        try:
            module = ast.parse(f"if 1:\n{text}" if indented else text)  # type: ignore[str-bytes-safe]
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            raise UnreadableCodeError("the text does not parse as Python") from error
    return ast.Module(module.body[0].body, []) if indented else module  # type: ignore[attr-defined]


@contextmanager
def _no_collection() -> Iterator[None]:
    """Put off the search for cycles: a tree has none, and looking for them takes a third longer."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Outermost functions of a module and of its classes, in source order.

    A function inside a function belongs to the one around it.
    """
    todo: list[ast.AST] = [module]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        else:
            todo.extend(reversed(inner_statements(node)))


def inner_statements(node: ast.AST) -> list[ast.AST]:
    """Statements, handlers and cases directly inside a node; expressions hold no statements."""
    return [
        inner for name in _STATEMENT_FIELDS.get(type(node), ()) for inner in getattr(node, name)
    ]


def read(root: ast.AST, max_nodes: int) -> SyntaxTree:
    """List the nodes of a syntax tree in pre-order, without recursion.

    Raises:
        UnreadableCodeError: if there are more than ``max_nodes``.
    """
    tree = SyntaxTree()
    todo: list[tuple[ast.AST, int, str]] = [(root, -1, "<root>")]
    while todo:
        node, parent, role = todo.pop()
        if len(tree) >= max_nodes:
            raise UnreadableCodeError.too_many_nodes(max_nodes)
        text, name = _text(node)
        here = tree.add(_KINDS.get(type(node), 0), parent, text or role, name)
        todo += [(child, here, role) for child, role in reversed(_children(node))]
    return tree


def graph(tree: SyntaxTree, num_tokens: int) -> CodeGraph:
    """Join the nodes with child, next-sibling, next-use and statement edges."""
    edges = (child_edges(tree), sibling_edges(tree), next_use_edges(tree), statement_edges(tree))
    return join(tree, edges, num_tokens)


def statement_edges(tree: SyntaxTree) -> NDArray[np.int64]:
    """Edges ``[2, E]`` from each statement to the names and attributes that it holds.

    Those of a statement inside of another belong to the inner one; the root, which is the
    function itself, has none.
    """
    statement: list[int] = []
    pairs: list[tuple[int, int]] = []
    for place, (kind, parent) in enumerate(zip(tree.kind, tree.parent, strict=True)):
        around = statement[parent] if parent >= 0 else -1
        statement.append(place if kind in _STATEMENT_KINDS and parent >= 0 else around)
        if kind in _USE_KINDS and around >= 0:
            pairs.append((around, place))
    return np.asarray(pairs, np.int64).reshape(-1, 2).T


def _children(node: ast.AST) -> list[tuple[ast.AST, str]]:
    """Nodes inside of a node, with their roles."""
    found: list[tuple[ast.AST, str]] = []
    for field, role in _NODE_FIELDS.get(type(node), ()):
        value = getattr(node, field, None)
        if isinstance(value, list):
            found += [(item, role) for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append((value, role))
    return found


def _text(node: ast.AST) -> tuple[str, str]:
    """The text that a node shows, and the name that it uses."""
    if isinstance(node, ast.Name):
        return node.id, node.id
    if isinstance(node, ast.arg):
        return node.arg, node.arg
    if isinstance(node, ast.Attribute):
        return f".{node.attr}", ""
    if isinstance(node, ast.Constant):
        return _literal(node.value), ""
    if isinstance(node, ast.keyword):
        return f"={node.arg}", ""
    return (node.name, "") if isinstance(node, ast.alias) else ("", "")


def _literal(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 1 << 10:
        # Decimal digits of huge integers are refused by the interpreter itself.
        return hex(value)
    return ascii(value)
