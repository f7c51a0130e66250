"""What modules behind entry points declare, read from their text, so that none is imported.

Importing features or models loads torch, which takes seconds; a report and a key press in a shell
must not. What a module computes instead of writing it down is left out.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Definition = ast.ClassDef | ast.FunctionDef


@dataclass(frozen=True)
class Declared:
    """One feature or model.

    Attributes:
        name: that it is registered by.
        card: its docstring; "" for none.
        fields: names of its values.
    """

    name: str
    card: str
    fields: tuple[str, ...]


def declared(group: str) -> Iterator[Declared]:
    """All that the modules of an entry-point group such as ``ablation.features`` declare.

    Those are classes with a ``name``, and what stands under a decorator such as
    ``@register_model("name")``. A file that cannot be read declares nothing.
    """
    for point in entry_points(group=group):
        for path in _files(point.module):
            try:
                tree = ast.parse(path.read_bytes())
            except (OSError, ValueError, SyntaxError):
                continue
            for node in tree.body:
                if isinstance(node, Definition):
                    yield from _declared(node)


def _files(module: str) -> list[Path]:
    top, _, rest = module.partition(".")
    try:
        spec = find_spec(top)  # of a whole name it would import the packages above
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is None:
        return [Path(spec.origin)] if spec.origin else []
    folders = [Path(each).joinpath(*rest.split(".")) for each in spec.submodule_search_locations]
    files = [folder.with_suffix(".py") for folder in folders] if rest else []
    return [*files, *(path for folder in folders for path in sorted(folder.glob("*.py")))]


def _declared(node: Definition) -> Iterator[Declared]:
    card = inspect.cleandoc(ast.get_docstring(node) or "")
    if name := _decorated(node):
        yield Declared(name, card, _parameters(node))
    elif isinstance(node, ast.ClassDef) and (name := _named(node)):
        yield Declared(name, card, _annotated(node))


def _decorated(node: Definition) -> str:
    """The text that a decorator such as ``@register_model("gcn")`` is given."""
    for call in node.decorator_list:
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("register_model"):
            for value in call.args[:1]:
                return _text(value)
    return ""


def _named(node: ast.ClassDef) -> str:
    """What ``name: ClassVar[str] = "..."`` says in a class."""
    for part in node.body:
        if not isinstance(part, ast.Assign | ast.AnnAssign):
            continue
        targets: list[ast.expr] = [part.target] if isinstance(part, ast.AnnAssign) else part.targets
        if any(isinstance(one, ast.Name) and one.id == "name" for one in targets):
            return _text(part.value)
    return ""


def _text(value: ast.expr | None) -> str:
    found = value.value if isinstance(value, ast.Constant) else None
    return found if isinstance(found, str) else ""


def _annotated(node: ast.ClassDef) -> tuple[str, ...]:
    """Fields of a pydantic model: what is annotated, class variables and private ones aside."""
    return tuple(
        part.target.id
        for part in node.body
        if isinstance(part, ast.AnnAssign)
        and isinstance(part.target, ast.Name)
        and not part.target.id.startswith("_")
        and "ClassVar" not in ast.unparse(part.annotation)
    )


def _parameters(node: Definition) -> tuple[str, ...]:
    """Values of a model: parameters with a default, of a function or of a class's ``__init__``."""
    made = [node] if isinstance(node, ast.FunctionDef) else node.body
    for one in made:
        if isinstance(one, ast.FunctionDef) and one.name in ("__init__", node.name):
            plain = one.args.args[len(one.args.args) - len(one.args.defaults) :]
            only = zip(one.args.kwonlyargs, one.args.kw_defaults, strict=True)
            named = [*plain, *(each for each, value in only if value is not None)]
            return tuple(each.arg for each in named)
    return ()
