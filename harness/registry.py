"""Named things that packages can add: features, models and data sources.

Built-in entries and third-party ones arrive the same way, through an entry point whose module
registers its entries with a decorator when it is imported.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import sys
import traceback
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from harness.errors import UsageError
from harness.selection import is_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

_PLUGIN = "ablation_plugin_"


class Registry(Generic[T]):
    """A table from names to entries, filled through an entry-point group on first use.

    Args:
        kind: what the entries are, for messages: ``feature``, ``model``, ``source``.
        group: entry-point group that is loaded before the first look-up.
    """

    def __init__(self, kind: str, group: str) -> None:
        self._kind = kind
        self._group = group
        self._entries: dict[str, T] = {}
        self._origins: dict[str, str] = {}
        self._loaded = False

    def add(self, name: str, entry: T, *, origin: object = None) -> None:
        """Register an entry; again, if its module is imported anew.

        Args:
            name: lower-case letters, digits and underscores.
            entry: what the name stands for.
            origin: the class or function behind the entry; the entry itself by default.

        Raises:
            UsageError: if the name cannot stand in a selection, or is another entry's.
        """
        if not is_name(name):
            raise UsageError(
                f"a {self._kind} cannot be called {name!r}",
                mend="a name begins with a letter and has lower-case letters, digits and _ alone",
            )
        here = _place(entry if origin is None else origin)
        known = self._origins.setdefault(name, here)
        if known != here:
            raise UsageError(
                f"two {self._kind}s are called '{name}': {known} and {here}",
                mend=f"rename one of them; a {self._kind}'s name is unique over all packages",
            )
        self._entries[name] = entry

    def get(self, name: str) -> T:
        """Look an entry up.

        Raises:
            UsageError: if there is none; names the nearest ones.
        """
        self.load()
        if name not in self._entries:
            near = difflib.get_close_matches(name, self._entries, n=3)
            mend = f"did you mean {' or '.join(near)}? " if near else ""
            raise UsageError(
                f"there is no {self._kind} '{name}'",
                mend=f"{mend}there are: {', '.join(sorted(self._entries)) or 'none'}",
            )
        return self._entries[name]

    def known(self, name: str) -> T | None:
        """An entry that is registered already; None if none is, as nothing is imported for it."""
        return self._entries.get(name)

    def names(self) -> list[str]:
        """All names, sorted."""
        self.load()
        return sorted(self._entries)

    def __iter__(self) -> Iterator[tuple[str, T]]:
        self.load()
        return iter(sorted(self._entries.items()))

    def load(self) -> None:
        """Import every module of the entry-point group once.

        Raises:
            UsageError: if a package's module cannot be imported; names the package.
        """
        if self._loaded:
            return
        self._loaded = True  # now: a module may look entries up while it is imported
        for point in entry_points(group=self._group):
            try:
                point.load()
            except UsageError:
                self._loaded = False
                raise
            except Exception as error:
                self._loaded = False
                package = point.dist.name if point.dist else "?"
                raise UsageError(
                    f"package '{package}' cannot be loaded as {self._group}: "
                    f"{type(error).__name__}: {error}",
                    where=point.value,
                    mend="mend or uninstall that package",
                ) from error


def _place(entry: object) -> str:
    """Where an entry is defined: ``module.Class``, or ``path:Class`` for a plugin file."""
    module = getattr(entry, "__module__", "?")
    name = getattr(entry, "__qualname__", repr(entry))
    if module.startswith(_PLUGIN):
        return f"{getattr(sys.modules.get(module), '__file__', module)}:{name}"
    return f"{module}.{name}"


def import_plugin(path: Path) -> None:
    """Import one Python file that registers features, models or sources; once in a process.

    Raises:
        UsageError: if the file is missing or raises when it is imported.
    """
    path = path.resolve()
    name = f"{_PLUGIN}{hashlib.sha256(str(path).encode()).hexdigest()[:16]}_{path.stem}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UsageError("no such Python file", where=str(path), mend="give the path of a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except UsageError:
        del sys.modules[name]
        raise
    except Exception as error:
        del sys.modules[name]
        raise UsageError(
            f"cannot be imported: {type(error).__name__}: {error}",
            where=_place_of(error, path),
            mend="mend that file, and give the same command again",
        ) from error


def _place_of(error: Exception, path: Path) -> str:
    """File and line at which importing a file went wrong."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}:{error.lineno}"
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    return f"{path}:{lines[-1]}" if lines else str(path)


def imported_plugins() -> tuple[str, ...]:
    """Paths of the Python files that this process has imported as plugins."""
    loaded = [(name, getattr(module, "__file__", None)) for name, module in sys.modules.items()]
    return tuple(str(file) for name, file in loaded if name.startswith(_PLUGIN) and file)


def import_plugins(files: Iterable[str]) -> tuple[str, ...]:
    """Import the Python files that register more; returns their absolute paths.

    Raises:
        UsageError: if one is missing or cannot be imported.
    """
    paths = [Path(file).resolve() for file in files]
    for path in paths:
        import_plugin(path)
    return tuple(map(str, paths))
