"""Python text as code alone: what two versions of it share when only words were changed.

Nothing is run. Docstrings, comments, layout and statements that do nothing are no code.
"""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_REGISTER = "register"


def parsed(text: bytes) -> ast.Module | None:
    """Parse a Python file; None if it is no Python, or too deep to be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on the text's own style
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def meaning(nodes: Sequence[ast.stmt]) -> str:
    """Write statements so that two texts are equal if they differ in words and layout alone.

    Strings that stand as statements are docstrings or comments; a function with nothing else is
    equal to one with ``pass``.

    Raises:
        RecursionError: if they are nested too deeply.
    """
    return "\n".join(_dump(node) for node in nodes if not _idle(node))


def _dump(node: ast.AST | object) -> str:
    """As ``ast.dump`` without places, and without statements that do nothing."""
    if isinstance(node, list):
        return f"[{', '.join(_dump(one) for one in node if not _idle(one))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = (f"{name}={_dump(value)}" for name, value in ast.iter_fields(node))
    return f"{type(node).__name__}({', '.join(fields)})"


def _idle(node: object) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Pass)


def is_type_checking(test: ast.expr) -> bool:
    """Whether a condition holds for type checkers alone."""
    return bool(getattr(test, "attr", getattr(test, "id", "")) == "TYPE_CHECKING")


def registered(tree: ast.Module) -> dict[str, str]:
    """Features that a file registers: class by name, as far as the name is written there."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(map(_registers, node.decorator_list)):
            for statement in node.body:
                name = _named(statement)
                if name is not None:
                    found[name] = node.name
    return found


def _registers(decorator: ast.expr) -> bool:
    return getattr(decorator, "attr", getattr(decorator, "id", "")) == _REGISTER


def _named(node: ast.stmt) -> str | None:
    """The value of ``name = "..."``, with or without a type."""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    value = getattr(node, "value", None)
    if [getattr(target, "id", "") for target in targets] != ["name"]:
        return None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def part_of(tree: ast.Module, owner: str, owners: Collection[str]) -> list[ast.stmt]:
    """Statements of a file that concern one of the classes in it.

    Args:
        tree: the file.
        owner: name of the class; "" for none of them.
        owners: names of the classes that stand for themselves, such as the file's features.

    Returns:
        All but the other owners' classes, in their order; those of them stay that the class, or
        the code which all share, names.
    """
    own = {node.name: node for node in tree.body if _is_class(node) and node.name in owners}
    shared = [node for node in tree.body if not (_is_class(node) and node.name in owners)]
    kept: set[str] = set()
    new = {owner} | {name for node in shared for name in _names(node)}
    while new := (new & own.keys()) - kept:
        kept |= new
        new = {used for name in new for used in _names(own[name])}
    return [node for node in tree.body if not (_is_class(node) and node.name in own.keys() - kept)]


def _is_class(node: ast.stmt) -> TypeGuard[ast.ClassDef]:
    return isinstance(node, ast.ClassDef)


def _names(node: ast.AST) -> Iterator[str]:
    return (one.id for one in ast.walk(node) if isinstance(one, ast.Name))


def beside_imports(tree: ast.Module) -> list[ast.stmt]:
    """What a package's ``__init__`` does beside importing: all but imports and ``__all__``.

    A loop that does nothing but import modules is an import too.
    """
    return [node for node in tree.body if not (_idle(node) or _imports(node))]


def _imports(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Assign):
        return [getattr(target, "id", "") for target in node.targets] == ["__all__"]
    if isinstance(node, ast.For):
        return all(_imports(one) for one in (*node.body, *node.orelse))
    called = node.value.func if isinstance(node, ast.Expr) and _is_call(node.value) else None
    return getattr(called, "attr", getattr(called, "id", "")) == "import_module"


def _is_call(node: ast.expr) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call)
