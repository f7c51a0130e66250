"""Named things that packages can add: features, models and data sources.

Built-in entries and third-party ones arrive the same way, through an entry point whose module
registers its entries with a decorator when it is imported.
"""

from __future__ import annotations

import difflib
import importlib.util
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Generic, TypeVar

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

T = TypeVar("T")


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
        self._loaded = False

    def add(self, name: str, entry: T) -> None:
        """Register an entry.

        Raises:
            UsageError: if the name is taken by another entry.
        """
        known = self._entries.get(name)
        if known is not None and _origin(known) != _origin(entry):
            raise UsageError(
                f"two {self._kind}s are called '{name}': {_origin(known)} and {_origin(entry)}",
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
        self._loaded = True
        for point in entry_points(group=self._group):
            try:
                point.load()
            except UsageError:
                raise
            except Exception as error:
                package = point.dist.name if point.dist else "?"
                raise UsageError(
                    f"package '{package}' cannot be loaded as {self._group}: "
                    f"{type(error).__name__}: {error}",
                    where=point.value,
                    mend="mend or uninstall that package",
                ) from error


def _origin(entry: object) -> str:
    return f"{getattr(entry, '__module__', '?')}.{getattr(entry, '__qualname__', repr(entry))}"


def import_plugin(path: Path) -> None:
    """Import one Python file that registers features, models or sources.

    Raises:
        UsageError: if the file is missing or raises when it is imported.
    """
    name = f"ablation_plugin_{path.stem}"
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
            f"cannot be imported: {type(error).__name__}: {error}", where=str(path)
        ) from error
