"""Guards: which ones there are in a function, which can be inverted, and what inverting does."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from harness.graphs.code.python import inner_statements

if TYPE_CHECKING:
    from collections.abc import Callable

_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def is_guard(node: ast.AST) -> bool:
    """Whether a node is an ``if`` without ``else`` whose body is one ``raise``."""
    return (
        isinstance(node, ast.If)
        and not node.orelse
        and len(node.body) == 1
        and isinstance(node.body[0], ast.Raise)
    )


def inverted(test: ast.expr) -> ast.expr | None:
    """The opposite of a test, or None where it is of no form that is inverted.

    The forms are ``not E``, one comparison by ``is``, ``is not``, ``==``, ``!=``, ``in`` or
    ``not in``, and a bare call. Their direction is a convention that can be learned, which the
    direction of ``<`` is not.
    """
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return inner
        case ast.Compare(left=left, ops=[sign], comparators=right) if type(sign) in _OPPOSITE:
            return ast.Compare(left=left, ops=[_OPPOSITE[type(sign)]()], comparators=right)
        case ast.Call():
            return ast.UnaryOp(op=ast.Not(), operand=test)
    return None


def invertible_guards(function: ast.AST) -> list[Callable[[], None]]:
    """One action for each guard that can be inverted, in source order; it inverts that guard.

    Guards of functions inside the function count as its own.
    """
    found: list[Callable[[], None]] = []
    todo = inner_statements(function)[::-1]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and is_guard(node):
            opposite = inverted(node.test)
            if opposite is not None:
                found.append(_replacing_test(node, opposite))
        todo.extend(reversed(inner_statements(node)))
    return found


def _replacing_test(guard: ast.If, test: ast.expr) -> Callable[[], None]:
    def act() -> None:
        guard.test = test

    return act


def without_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Take a function's docstring out of its body, in place."""
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        function.body = function.body[1:] or [ast.Pass()]
