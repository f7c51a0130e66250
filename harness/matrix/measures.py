"""How complex a feature is: read from the source text of its file, which is not run for it."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from typing import TYPE_CHECKING, Final

from complexipy import code_complexity

from harness.feature import FEATURES
from harness.gates.complexity import Measures
from harness.matrix.code import is_type_checking
from harness.matrix.imports import distribution_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from harness.feature import Feature

_PROJECT: Final = "gnn-ablation-harness"
_OWN: Final = frozenset({"harness", "features"})
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def measure(kinds: Sequence[type[Feature]]) -> Measures:
    """Measure the features of a candidate; features that share a file share its common part.

    Args:
        kinds: classes of the features, at least one.

    Raises:
        OSError: if a file is gone.
        GateInputError: if there is no feature.
    """
    by_file: dict[Path, list[type[Feature]]] = {}
    for kind in kinds:
        by_file.setdefault(Path(inspect.getfile(kind)), []).append(kind)
    texts = [_own_text(path, ours) for path, ours in by_file.items()]
    packages = {kind.__module__.partition(".")[0] for kind in kinds}
    return Measures(
        lines=sum(map(logical_lines, texts)),
        cognitive=sum(map(cognitive_complexity, texts)),
        hooks=tuple(dict.fromkeys(hook for kind in kinds for hook in kind.hooks())),
        dependencies=new_dependencies(texts, packages),
        features=len(kinds),
    )


def logical_lines(text: str) -> int:
    """Count logical lines: statements, compound ones by their head alone, docstrings left out.

    Raises:
        SyntaxError: if the text is no Python.

    Source: Park, "Software Size Measurement: A Framework for Counting Source Statements",
    CMU/SEI-92-TR-020, 1992.
    """
    nodes = list(ast.walk(ast.parse(text)))
    documented = [node for node in nodes if isinstance(node, _DOCUMENTED)]
    docstrings = sum(ast.get_docstring(node) is not None for node in documented)
    return sum(isinstance(node, ast.stmt) for node in nodes) - docstrings


def cognitive_complexity(text: str) -> int:
    """Sum the cognitive complexity of all functions and of the module's own code.

    Comments that would switch the count off are not heeded.

    Raises:
        ValueError: if the text is no Python.

    Source: Campbell, "Cognitive Complexity: a new way of measuring understandability",
    SonarSource, 2018; counted by complexipy.
    """
    found = code_complexity(text, check_script=True, no_ignore=True, with_plans=False)
    return int(found.complexity)


def new_dependencies(texts: Iterable[str], own: Collection[str] = ()) -> tuple[str, ...]:
    """Name the packages that are imported anywhere and that the project does not name already.

    An import for type checking alone is none; one inside of a function or of ``try`` is. What
    ``importlib.import_module`` is given by name is not seen.

    Args:
        texts: source texts.
        own: top-level modules of the feature's own package.

    Returns:
        Names of distributions, or of the module where none of that name is installed, sorted.

    Raises:
        SyntaxError: if a text is no Python.
    """
    modules = {name for text in texts for name in _imported(ast.parse(text).body)}
    found = set()
    for module in modules - sys.stdlib_module_names - _OWN - set(own):
        given_by = {distribution_name(name) for name in _distributions().get(module, (module,))}
        if not given_by & _named_dependencies():
            found.add(min(given_by))
    return tuple(sorted(found))


def _own_text(path: Path, ours: Sequence[type[Feature]]) -> str:
    """A file's text without the classes of registered features that are none of ``ours``."""
    text = path.read_text(encoding="utf-8")
    others = {
        kind.__qualname__
        for _, kind in FEATURES
        if kind not in ours and Path(inspect.getfile(kind)) == path
    }
    if not others:
        return text
    tree = ast.parse(text)
    tree.body = [
        node for node in tree.body if not (isinstance(node, ast.ClassDef) and node.name in others)
    ]
    return ast.unparse(tree)


def _imported(body: Iterable[ast.AST]) -> set[str]:
    """Top-level names of the modules that are imported absolutely, anywhere below ``body``."""
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "").partition(".")[0]} if node.level == 0 else set()
        elif isinstance(node, ast.If) and is_type_checking(node.test):
            found |= _imported(node.orelse)
        else:
            found |= _imported(ast.iter_child_nodes(node))
    return found


@cache
def _distributions() -> Mapping[str, Sequence[str]]:
    """Distributions that give each top-level module here."""
    return packages_distributions()


@cache
def _named_dependencies() -> frozenset[str]:
    """The project and what it requires by name, extras aside, in canonical spelling."""
    try:
        lines = requires(_PROJECT) or []
    except PackageNotFoundError:
        lines = []
    named = [_NAME.match(line.strip()) for line in lines if "extra ==" not in line]
    return frozenset({_PROJECT, *(distribution_name(one[0]) for one in named if one)})
