"""What changed between two versions of a project, as far as it concerns what is trained.

Texts in, findings out: how the texts of each version are read is the caller's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.matrix.code import meaning, parsed, part_of, registered
from harness.matrix.imports import distribution_name, imported_files

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from harness.matrix.imports import Read, Roots

_PIN = re.compile(r"\s*([A-Za-z0-9._-]+)\s*==\s*([^\s;#]+)")


class How(StrEnum):
    """How a feature or a model stands to its older version."""

    SAME = "same"
    CHANGED = "changed"
    NEW = "new"
    MOVED = "moved"
    OUTSIDE = "outside"


class Stale(StrEnum):
    """What is judged where the baseline's trials are void."""

    ALL = "all"
    CHANGED = "changed"


@dataclass(frozen=True)
class Part:
    """A feature or a model: a class, or a function, in a file of a project.

    Attributes:
        name: what selections call it.
        file: where it is.
        owner: name of the class.
        roots: where the file's absolute imports are looked for.
    """

    name: str
    file: Path
    owner: str
    roots: Roots


@dataclass(frozen=True)
class Change:
    """What became of a feature or a model.

    Attributes:
        how: in one word.
        files: what was changed, its own file or files that it imports; of one that only moved,
            where it was.
        unreadable: whether its older file is no Python, so that nothing can be said of it.
    """

    how: How
    files: tuple[Path, ...] = ()
    unreadable: bool = False

    @property
    def counts(self) -> bool:
        """Whether what is trained may be another thing than before."""
        return self.how in (How.CHANGED, How.NEW)


@dataclass(frozen=True)
class Engine:
    """What became of the code that every trial goes through.

    Attributes:
        compared: whether it is among what can be compared.
        code: files whose code changed.
        words: files whose docstrings, comments or layout alone changed.
        beside: files whose code changed and that no trial goes through: they build data or judge.
    """

    compared: bool = False
    code: tuple[Path, ...] = ()
    words: tuple[Path, ...] = ()
    beside: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Changes:
    """Everything that changed and concerns a trial.

    Attributes:
        features: by name.
        models: by name.
        deleted: features that are gone.
        engine: the harness's own training code.
        pins: packages of a trial's key whose pinned version changed, one sentence each.
        words: files of features and models in which docstrings, comments or layout alone changed.
    """

    features: Mapping[str, Change]
    models: Mapping[str, Change]
    deleted: tuple[str, ...]
    engine: Engine
    pins: tuple[str, ...] = ()
    words: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Versions:
    """Two versions of a project's texts.

    Attributes:
        now: reads the newer one.
        then: reads the older one.
        leave: files that belong to no feature and no model: the engine's.
    """

    now: Read
    then: Read
    leave: Callable[[Path], bool]

    def compare(self, part: Part, owners: Collection[str], before: Path | None = None) -> Change:
        """Compare a feature or a model with its older version.

        Args:
            part: the feature or model.
            owners: classes of its file that stand for themselves, beside those that either version
                registers as features.
            before: the older version's file, where it had another name; None for the same.
        """
        file = before or part.file
        now, then = self.now(part.file), self.then(file)
        if then is None:
            return Change(How.NEW, (part.file,))
        new, old = parsed(now or b""), parsed(then)
        if new is None or old is None:
            same = now == then
            return Change(How.SAME) if same else Change(How.CHANGED, (part.file,), unreadable=True)
        apart = {*owners, *registered(new).values(), *registered(old).values()}
        owner = registered(old).get(part.name, part.owner)
        if part.owner in apart and not _has(old, owner):
            return Change(How.NEW, (part.file,))
        ours, theirs = part_of(new, part.owner, apart), part_of(old, owner, apart)
        files = [] if now == then or _alike(ours, theirs) else [part.file]
        files += self._imports_that_differ(part, file, ours, theirs)
        if files:
            return Change(How.CHANGED, tuple(files))
        return Change(How.SAME) if before is None else Change(How.MOVED, (before,))

    def _imports_that_differ(
        self, part: Part, before: Path, ours: Sequence[ast.stmt], theirs: Sequence[ast.stmt]
    ) -> list[Path]:
        new = imported_files(part.file, ours, part.roots, self.now, self.leave)
        old = imported_files(before, theirs, part.roots, self.then, self.leave)
        newer = {one.file: one.code for one in new}
        older = {one.file: one.code for one in old}
        return [file for file in {**newer, **older} if newer.get(file) != older.get(file)]

    def looked_at(self, part: Part) -> list[Path]:
        """A part's file and those that it imports, as they are now."""
        tree = parsed(self.now(part.file) or b"")
        nodes = tree.body if tree else []
        found = imported_files(part.file, nodes, part.roots, self.now, self.leave)
        return [part.file, *(one.file for one in found)]

    def only_words(self, file: Path) -> bool:
        """Whether a file's text changed and its code did not."""
        now, then = self.now(file), self.then(file)
        return now is not None and then is not None and now != then and _same_code(now, then)

    def engine(self, files: Iterable[Path], beside: Iterable[Path]) -> Engine:
        """Compare the engine and the code beside it, given their files in either version."""
        differing = [file for file in files if self.now(file) != self.then(file)]
        words = tuple(filter(self.only_words, differing))
        others = (file for file in beside if self.now(file) != self.then(file))
        return Engine(
            compared=True,
            code=tuple(file for file in differing if file not in words),
            words=words,
            beside=tuple(file for file in others if not self.only_words(file)),
        )


def registered_in(files: Iterable[Path], read: Read) -> dict[str, Path]:
    """Features that files register, by name, as far as their names are written there."""
    found: dict[str, Path] = {}
    for file in files:
        tree = parsed(read(file) or b"")
        found |= dict.fromkeys(registered(tree) if tree else (), file)
    return found


def changed_pins(now: str, then: str, packages: Collection[str]) -> tuple[str, ...]:
    """Packages that two lists of constraints pin at different versions, one sentence each."""
    new, old = _pins(now), _pins(then)
    return tuple(
        f"{name} is pinned at {new.get(name, 'no version')}, and was at "
        f"{old.get(name, 'no version')}"
        for name in packages
        if new.get(name) != old.get(name)
    )


def _pins(text: str) -> dict[str, str]:
    found = (_PIN.match(line) for line in text.splitlines())
    return {distribution_name(one[1]): one[2] for one in found if one}


def _has(tree: ast.Module, name: str) -> bool:
    return any(getattr(node, "name", "") == name for node in tree.body)


def _alike(ours: Sequence[ast.stmt], theirs: Sequence[ast.stmt]) -> bool:
    try:
        return meaning(ours) == meaning(theirs)
    except RecursionError:
        return False


def _same_code(now: bytes, then: bytes) -> bool:
    new, old = parsed(now), parsed(then)
    return new is not None and old is not None and _alike(new.body, old.body)
