"""Python source files of installed packages, found without importing any of them."""

from __future__ import annotations

import importlib.util
import os
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

STDLIB = "stdlib"

# What the harness itself installs, with the distribution whose version names its content.
PACKAGES = {
    "torch": "torch",
    "torch_geometric": "torch-geometric",
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "pandas": "pandas",
    "sympy": "sympy",
    "mpmath": "mpmath",
    "networkx": "networkx",
    "aiohttp": "aiohttp",
    "absl": "absl-py",
    "attr": "attrs",
    "dateutil": "python-dateutil",
    "filelock": "filelock",
    "fsspec": "fsspec",
    "google": "protobuf",
    "grpc": "grpcio",
    "jinja2": "Jinja2",
    "joblib": "joblib",
    "markdown": "Markdown",
    "markdown_it": "markdown-it-py",
    "multidict": "multidict",
    "narwhals": "narwhals",
    "packaging": "packaging",
    "PIL": "pillow",
    "psutil": "psutil",
    "pydantic": "pydantic",
    "pydantic_settings": "pydantic-settings",
    "pygments": "Pygments",
    "pyparsing": "pyparsing",
    "requests": "requests",
    "rich": "rich",
    "setuptools": "setuptools",
    "tensorboard": "tensorboard",
    "torchgen": "torch",
    "tqdm": "tqdm",
    "typer": "typer",
    "urllib3": "urllib3",
    "werkzeug": "Werkzeug",
    "yarl": "yarl",
}

# Tests hold few guards of their own, vendored code is another package's, and what distributors
# leave out of the standard library must make no difference.
_PASSED_OVER = frozenset({
    "__pycache__", "_distutils", "_vendor", "dist-packages", "distutils", "ensurepip", "idlelib",
    "lib2to3", "site-packages", "test", "testing", "tests", "tkinter", "turtledemo",
})  # fmt: skip


@dataclass(frozen=True)
class Corpus:
    """The source files of one package.

    Attributes:
        name: import name, or ``stdlib``.
        root: folder that the files' names are relative to.
        files: sorted.
    """

    name: str
    root: Path
    files: tuple[Path, ...]


def locate(name: str) -> Corpus | None:
    """Find a package's source files; None where it is not installed as source.

    Raises:
        UsageError: if the name is not that of a top-level package. A package inside of another
            cannot be found without running the outer one.
    """
    if name == STDLIB:
        root = Path(sysconfig.get_path("stdlib"))
        return Corpus(name, root, _files(root))
    if not name.isidentifier():
        raise UsageError(
            f"'{name}' is no name of a top-level package",
            mend=f"name packages as they are imported, without dots, or {STDLIB}",
        )
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        root = Path(next(iter(spec.submodule_search_locations)))
        return Corpus(name, root, _files(root))
    if spec.origin is None or not spec.origin.endswith(".py"):
        return None
    file = Path(spec.origin)
    return Corpus(name, file.parent, (file,))


def _files(root: Path) -> tuple[Path, ...]:
    found: list[Path] = []
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if name not in _PASSED_OVER]
        found.extend(Path(folder, name) for name in names if name.endswith(".py"))
    return tuple(sorted(found, key=lambda file: file.relative_to(root).parts))
