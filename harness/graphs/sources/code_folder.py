"""Folders and zip archives of C and C++ functions, one function a file."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field

from harness.errors import DataError
from harness.graphs.build import Sample
from harness.graphs.code import c
from harness.graphs.code.c_process import CReader
from harness.graphs.code.c_types import NUM_TYPES
from harness.graphs.code.graph import UnreadableCodeError
from harness.graphs.sources.base import PARSERS, Progress, installed, register_source
from harness.graphs.sources.broken import Broken
from harness.graphs.sources.groups import GroupRow, read_groups
from harness.graphs.sources.members import Member, open_members
from harness.graphs.sources.records import READ, file_key
from harness.graphs.sources.text import TextSource
from harness.hashing import content_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.graphs.dataset import PackedGraphs

SUFFIXES = frozenset({".c", ".h", ".cc", ".cpp", ".cxx", ".c++", ".hh", ".hpp", ".hxx"})
GROUPS_FILE = "groups.csv"

_LABELLED = re.compile(r"_([01])\.[^.]+\Z")
_LOOKED_AT = 10_000


@register_source
class CodeFolder(TextSource):
    """C and C++ functions, one a file, in a folder or a zip archive that is read as it is.

    Graphs are syntax trees with next-leaf and next-use edges. Label and group come from a groups
    file (``groups.csv`` beside the archive or in the folder: columns file, label, group and
    perhaps usable); where there is none, the label is the end of the file's name
    (``any_1.c``) and functions of one name stay together in a split. A folder that holds no such
    file, but one archive, stands for its archive: so the ReVeal sets are read.

    Limits: without a groups file, copies of a function under other names can come into both
    sides of a split. The text is under the licences of the projects it was taken from.
    """

    name: ClassVar[str] = "code_folder"

    path: Path = Field(description="the folder or zip archive")
    groups: Path | None = Field(None, description="the groups file, if it is elsewhere")
    dialect: c.Dialect = Field("auto", description="grammar to read with: auto, c or cpp")

    @classmethod
    def detect(cls, path: Path) -> Self | None:
        """A folder or archive that holds files with a suffix of C or C++."""
        if path.is_dir():
            known = (path / GROUPS_FILE).is_file() or _holds_code(path)
            return cls(path=path) if known else None
        if path.suffix.lower() != ".zip":
            return None
        try:
            with open_members(path, SUFFIXES, Counter()) as members:
                return cls(path=path) if members else None
        except DataError:
            return None

    def key(self) -> str:
        """Hash of all files, the groups file, the options and the parsers' versions."""
        place, groups = self._place(), self._groups()
        parts = [file_key(groups) if groups else ""]
        if place.is_file():
            parts.append(file_key(place))
        else:
            with open_members(place, SUFFIXES, Counter()) as members:
                parts += [f"{member.name} {file_key(place / member.name)}" for member in members]
        return self.key_of(content_key(parts), installed(PARSERS))

    def build(self, progress: Progress) -> PackedGraphs:
        """Read the files in the order of their names."""
        counts: Counter[str] = Counter()
        groups = self._groups()
        table = read_groups(groups, counts, strict=self.strict) if groups else None
        with (
            open_members(self._place(), SUFFIXES, counts) as members,
            CReader(self.dialect, self.max_nodes) as reader,
        ):
            if table is not None:
                _check_names(groups or self.path, table, members)
            samples = self._samples(members, table, reader, counts, progress)
            return self.packed(samples, counts, num_types=NUM_TYPES)

    def _place(self) -> Path:
        """The folder or archive to read: the one archive of a folder without code."""
        if self.path.is_dir() and not _holds_code(self.path):
            archives = sorted(self.path.glob("*.zip"))
            if len(archives) == 1:
                return archives[0]
        return self.path

    def _groups(self) -> Path | None:
        if self.groups is not None:
            return self.groups
        folder = self.path if self.path.is_dir() else self.path.parent
        beside = folder / GROUPS_FILE
        return beside if beside.is_file() else None

    def _samples(
        self,
        members: list[Member],
        table: Mapping[str, GroupRow] | None,
        reader: CReader,
        counts: Counter[str],
        progress: Progress,
    ) -> Iterator[Sample]:
        broken = Broken(counts, strict=self.strict)
        for done, member in enumerate(members):
            progress(done, len(members), "files")
            counts[READ] += 1
            row = _row(member, table)
            if isinstance(row, str):
                counts[row] += 1
                continue
            try:
                function = reader.read(member.read())
            except DataError as error:
                broken.note(error)
                continue
            except UnreadableCodeError as error:
                counts[str(error)] += 1
                continue
            key = function.tree.key()
            yield Sample(
                graph=c.graph(function.tree, self.num_tokens),
                label=row.label,
                group=row.group or function.name or key,
                text_key=key,
            )
        progress(len(members), len(members), "files")
        broken.check(self.path, len(members), "files")


def _row(member: Member, table: Mapping[str, GroupRow] | None) -> GroupRow | str:
    """Label and group of a file, or the reason why it has none."""
    if table is None:
        match = _LABELLED.search(member.name)
        if match is None:
            return "the file's name does not end in a label"
        return GroupRow(label=int(match[1]), group="", usable=True)
    row = table.get(member.name) or table.get(PurePosixPath(member.name).name)
    if row is None:
        return "not in the groups file"
    return row if row.usable else "not usable, says the groups file"


def _check_names(groups: Path, table: Mapping[str, GroupRow], members: list[Member]) -> None:
    """Refuse a groups file that names a file by a base name which several files have."""
    bases = Counter(PurePosixPath(member.name).name for member in members)
    paths = {member.name for member in members}
    for name in table:
        if name not in paths and bases[name] > 1:
            raise DataError.at(
                groups, f"{bases[name]} files are called '{name}'", field="file",
                mend="name each of them by its path inside the folder",
            )  # fmt: skip
    if not any(name in paths or name in bases for name in table):
        raise DataError.at(groups, "names none of the files that are there", field="file")


def _holds_code(folder: Path) -> bool:
    """Whether one of the first files in and below a folder has a suffix of C or C++."""
    for seen, file in enumerate(folder.rglob("*")):
        if file.suffix.lower() in SUFFIXES:
            return True
        if seen >= _LOOKED_AT:
            break
    return False
