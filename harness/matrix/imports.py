"""What a Python file imports from its own project, read from the texts; nothing is run.

A project is what does not come from an index: the folder that the file's top package lies in, and
the other folders on Python's path that hold no installed packages. Of an installed package its own
modules are followed. What ``importlib`` is given by name is not seen, nor are files that are no
Python.
"""

from __future__ import annotations

import ast
import re
import sys
import sysconfig
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.matrix.code import beside_imports, is_type_checking, meaning, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Read = Callable[[Path], bytes | None]
    """The content of a file, None where there is none."""

_INSTALLED = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True)
class Roots:
    """Where absolute imports are looked for.

    Attributes:
        folders: the file's own first.
        only: the one top-level package that is followed; "" for all.
    """

    folders: tuple[Path, ...]
    only: str = ""


def roots_of(file: Path, module: str, path: Sequence[str]) -> Roots:
    """Where the imports of a module are looked for.

    Args:
        file: of the module.
        module: its dotted name.
        path: Python's path.
    """
    names = module.split(".")
    levels = len(names) - (file.stem != "__init__")
    own = file.parents[min(levels, len(file.parents) - 1)]
    if is_installed(own):
        return Roots((own,), names[0])
    others = [Path(entry or ".").resolve() for entry in path]
    given = [one for one in others if one.is_dir() and not is_installed(one)]
    return Roots(tuple(dict.fromkeys((own, *given))))


def distribution_name(written: str) -> str:
    """A distribution's name as indexes compare it: lower case, one ``-`` for each separator.

    Source: Python packaging specifications, "Names and normalization".
    """
    return re.sub(r"[-_.]+", "-", written).lower()


def is_installed(folder: Path) -> bool:
    """Whether a folder holds installed packages, or Python's own."""
    own = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))
    return bool(_INSTALLED.intersection(folder.parts)) or any(
        folder.is_relative_to(Path(one).resolve()) for one in own if one
    )


@dataclass(frozen=True)
class Imported:
    """A file that another imports.

    Attributes:
        file: where it is.
        content: of the file.
        code: what it does: all of it, or of a package around an imported module what it does
            beside importing.
    """

    file: Path
    content: bytes
    code: str


def imported_files(
    file: Path, nodes: Iterable[ast.AST], roots: Roots, read: Read, leave: Callable[[Path], bool]
) -> list[Imported]:
    """Follow the imports of a file through its project.

    Args:
        file: whose imports are followed; it is not among what is found.
        nodes: the part of it that counts.
        roots: where absolute imports are looked for.
        read: gives the texts.
        leave: files that are not followed.

    Returns:
        Every file once, in the order in which the texts name them. An ``__init__`` around an
        imported module is among them if it does more than import, and its own imports are followed
        only where something of it is imported by name.
    """
    found: dict[Path, Imported] = {}
    followed = {file}
    around: set[Path] = set()
    queue = deque(_modules(file, nodes, roots, read))
    packages = list(_around(file, read))
    while queue:
        one = queue.popleft()
        if one in followed or leave(one):
            continue
        followed.add(one)
        content = read(one) or b""
        tree = parsed(content)
        code = _meaning(tree.body if tree else None, content)
        found[one] = Imported(one, content, code)
        packages += _around(one, read)
        queue += _modules(one, tree.body if tree else (), roots, read)
    for one in packages:
        if one in followed or one in around or leave(one):
            continue
        around.add(one)
        content = read(one) or b""
        tree = parsed(content)
        code = _meaning(beside_imports(tree) if tree else None, content)
        if code:
            found[one] = Imported(one, content, code)
    return list(found.values())


def _meaning(nodes: Sequence[ast.stmt] | None, content: bytes) -> str:
    """The code; of a text that cannot be read as Python the text."""
    try:
        return repr(content) if nodes is None else meaning(nodes)
    except RecursionError:
        return repr(content)


def _around(file: Path, read: Read) -> Iterator[Path]:
    """The ``__init__`` files of the packages that a file lies in, innermost first."""
    folder = file.parent.parent if file.name == "__init__.py" else file.parent
    while read(init := folder / "__init__.py") is not None and folder != folder.parent:
        yield init
        folder = folder.parent


def _modules(file: Path, nodes: Iterable[ast.AST], roots: Roots, read: Read) -> Iterator[Path]:
    """Files of the modules that nodes import, type checking aside."""
    left = deque(nodes)  # a long chain of operators is nested more deeply than calls can be
    while left:
        node = left.popleft()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _found(alias.name.split("."), roots, read)
        elif isinstance(node, ast.ImportFrom):
            yield from _from(file, node, roots, read)
        elif isinstance(node, ast.If) and is_type_checking(node.test):
            left += node.orelse
        else:
            left += ast.iter_child_nodes(node)


def _from(file: Path, node: ast.ImportFrom, roots: Roots, read: Read) -> Iterator[Path]:
    names = node.module.split(".") if node.module else []
    where = roots
    if node.level:
        above = file.parents[min(node.level, len(file.parents)) - 1]
        where = Roots((above,))
    for alias in node.names:
        inner = list(_found([*names, alias.name], where, read)) if alias.name != "*" else []
        yield from inner or _found(names, where, read)


def _found(names: Sequence[str], roots: Roots, read: Read) -> Iterator[Path]:
    """The file of a module, if it is one of the project's."""
    if roots.only and names and names[0] != roots.only:
        return
    for folder in roots.folders:
        place = folder.joinpath(*names)
        files = [place / "__init__.py"]
        files += [place.with_name(f"{place.name}.py")] if names else []
        for file in files:
            if read(file) is not None:
                yield file
                return


def read_from_disk(file: Path) -> bytes | None:
    """The content of a file as it is now."""
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def sources_of(file: Path, module: str, leave: Callable[[Path], bool]) -> list[Imported]:
    """What a loaded module imports from its project, with the texts as they are now."""
    tree = parsed(read_from_disk(file) or b"")
    nodes = tree.body if tree else []
    return imported_files(file, nodes, roots_of(file, module, sys.path), read_from_disk, leave)
