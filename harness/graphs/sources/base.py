"""What a data source is: frozen, typed options, a key of its input, and a way to build."""

from __future__ import annotations

import inspect
import platform
import re
import sys
from abc import ABC, abstractmethod
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import harness.graphs
from harness.errors import UsageError
from harness.graphs.dataset import DatasetInfo
from harness.hashing import content_key, files_key
from harness.registry import Registry
from harness.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.graphs.dataset import PackedGraphs

MAX_TAG = 80
"""Longest name of a tag; longer ones are cut."""

PARSERS = ("tree-sitter", "tree-sitter-c", "tree-sitter-cpp")

NumTokens = Annotated[int, Field(ge=2, le=1 << 16, description="size of the token vocabulary")]
Limit = Annotated[int, Field(ge=0, description="graphs to keep, in content-hash order; 0: all")]


class Progress(Protocol):
    """Told how far a build is; whoever shows it stays outside."""

    def __call__(self, done: int, total: int, what: str) -> None:
        """Report ``done`` of ``total`` (0: not known) pieces of ``what``."""


def silent(done: int, total: int, what: str) -> None:
    """Progress that nobody watches."""
    del done, total, what


class Source(BaseModel, ABC):
    """A place that labelled graphs come from.

    The fields are its options, set in a selection such as ``inverted_guard[limit=4000]``. The
    docstring is its card: what it reads, its licence and its limits.

    Attributes:
        name: unique over all packages, as written in a selection.
        places: options that say where the input is, and not what is made of it.
        cached: whether what is built is worth storing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    places: ClassVar[frozenset[str]] = frozenset({"path", "groups"})
    cached: ClassVar[bool] = True

    @abstractmethod
    def key(self) -> str:
        """Hash of everything that the result depends on: input, options, code, versions.

        Raises:
            DataError: if the input is missing or cannot be read.
        """

    @abstractmethod
    def build(self, progress: Progress) -> PackedGraphs:
        """Read the input and pack it.

        Raises:
            DataError: naming the place in the input that cannot be used.
        """

    @classmethod
    def detect(cls, path: Path) -> Self | None:
        """The source that reads ``path``, if this kind of source does."""
        del path
        return None

    @classmethod
    def card(cls) -> str:
        """The docstring, without its indentation."""
        return inspect.getdoc(cls) or ""

    def selection(self) -> Selection:
        """The shortest selection that gives these values: fields at their default are left out."""
        values = self.model_dump(mode="json")
        fields = type(self).model_fields
        changed = {key: value for key, value in values.items() if value != fields[key].default}
        return Selection(self.name, changed)

    def __str__(self) -> str:
        return str(self.selection())

    @property
    def title(self) -> str:
        """Name of the data set in reports: that of its file or folder, or of the source."""
        path = getattr(self, "path", None)
        stem = path.resolve().name.split(".")[0] if isinstance(path, Path) else ""
        return re.sub(r"[^A-Za-z0-9_-]+", "_", stem)[:MAX_TAG].strip("_") or self.name

    def key_of(self, content: str, versions: dict[str, str]) -> str:
        """Join the key of the input's content with options, versions and this package's code."""
        options = self.model_dump(mode="json", exclude=set(self.places))
        return content_key(
            {
                "source": self.name,
                "title": self.title,
                "content": content,
                "options": options,
                "versions": versions,
                "code": code_key(type(self)),
            },
            length=16,
        )

    def info(self, **values: Any) -> DatasetInfo:
        """Describe the data set to be; title and selection are filled in."""
        return DatasetInfo(name=self.title, source=str(self), **values)


SOURCES: Registry[type[Source]] = Registry("source", "ablation.sources")

S = TypeVar("S", bound=Source)


def register_source(source: type[S]) -> type[S]:
    """Class decorator that makes a source known under its ``name``.

    Raises:
        UsageError: if the name is taken, or a field has no description.
    """
    for name, field in source.model_fields.items():
        if not field.description:
            raise UsageError(
                f"field '{name}' of source '{source.name}' has no description",
                where=inspect.getfile(source),
                mend="write it as: name: type = Field(default, description='...')",
            )
    SOURCES.add(source.name, source)
    return source


def make_source(selection: Selection) -> Source:
    """Make a source from its selection.

    Raises:
        UsageError: naming the source or the field that is unknown or out of its range.
    """
    kind = SOURCES.get(selection.name)
    try:
        return kind(**selection.values)
    except ValidationError as error:
        errors = error.errors()
        # A name that is spelt wrong explains the field that is then missing.
        first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
        name = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"field '{name}' of source '{selection.name}': {first['msg']}",
            where=str(selection),
            mend=f"its fields are: {', '.join(kind.model_fields) or 'none'}",
        ) from error


def code_key(source: type[Source]) -> str:
    """Hash of the code that turns input into arrays, with the file of a third party's source."""
    room = Path(harness.graphs.__path__[0])
    files = [
        room / "build.py",
        room / "dataset.py",
        *sorted((room / "code").glob("*.py")),
        *sorted((room / "sources").glob("*.py")),
    ]
    own = Path(inspect.getfile(source))
    return files_key(files if own in files else [*files, own])


def installed(names: Iterable[str]) -> dict[str, str]:
    """Versions of distributions, "" for one that is not installed, and of Python."""
    found = {"python": f"{sys.implementation.name}-{platform.python_version()}"}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found
