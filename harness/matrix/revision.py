"""The files of a git working tree, beside those of one of its revisions.

git is asked as a program of its own, without a shell, and only to read. A revision is never taken
for an option, and of what the environment says about a repository nothing is heeded: it is the one
that the folder lies in.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.matrix.imports import read_from_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 120
_HERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX")
_HASHES = {40: hashlib.sha1, 64: hashlib.sha256}
_FILE, _SUBMODULE = ("100644", "100755"), "160000"
_MEND = "run it in the working tree of the project, with git installed"


class _GitError(Exception):
    """git could not do something; the text is what it said."""


@dataclass(frozen=True)
class Blob:
    """A file of a revision.

    Attributes:
        repository: root of the working tree that it belongs to; a submodule's is its own.
        key: git's hash of its content.
    """

    repository: Path
    key: str


@dataclass(frozen=True)
class Revision:
    """A revision and the working tree that it is compared with.

    Attributes:
        root: the working tree's folder.
        given: the revision in the user's words.
        commit: its hash.
        files: files of the revision by where they stand in the working tree, those of submodules
            among them; links are none.
        present: files that git tracks or that it does not ignore now, by the same places.
    """

    root: Path
    given: str
    commit: str
    files: dict[Path, Blob]
    present: frozenset[Path]
    _read: dict[Path, bytes] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def name(self) -> str:
        """What to call it: the user's words and the commit."""
        short = self.commit[:10]
        return short if self.commit.startswith(self.given) else f"{self.given} ({short})"

    def compares(self, file: Path) -> bool:
        """Whether a file can be compared: it is in the repository and git does not ignore it."""
        return file in self.files or file in self.present

    def then(self, file: Path) -> bytes | None:
        """Content of a file in the revision, None where it was not there.

        A file that cannot be compared is taken as it is now.

        Raises:
            UsageError: if git cannot give it.
        """
        blob = self.files.get(file)
        now = read_from_disk(file)
        if blob is None:
            return None if file in self.present else now
        if now is not None and _blob_key(now, blob.key) == blob.key:
            return now
        if file not in self._read:
            try:
                self._read[file] = _git(blob.repository, "cat-file", "blob", blob.key)
            except _GitError as error:
                raise UsageError(
                    f"its content in {self.name} cannot be read; git says: {error}",
                    where=self.shown(file),
                    mend="a partial clone lacks it: git fetch --refetch",
                ) from error
        return self._read[file]

    def shown(self, file: Path) -> str:
        """A file's place, from the root of the working tree on where it lies in it."""
        inside = file.is_relative_to(self.root)
        return file.relative_to(self.root).as_posix() if inside else str(file)


def open_revision(folder: Path, given: str) -> Revision:
    """Find a revision of the repository that a folder lies in.

    Args:
        folder: in the working tree.
        given: the revision in git's own language: a hash, a branch, ``HEAD~2``, ...

    Raises:
        UsageError: if there is no git, no repository or no such revision.
    """
    try:
        top = _git(folder, "rev-parse", "--show-toplevel")
    except _GitError as error:
        raise UsageError(
            f"this is no working tree of a git repository; git says: {error}",
            where=str(folder),
            mend=_MEND,
        ) from error
    root = Path(os.fsdecode(top.removesuffix(b"\n"))).resolve()
    commit = _commit(root, given)
    try:
        files = dict(_files(root, commit))
        present = frozenset(_present(root, files))
    except _GitError as error:
        raise UsageError(f"git says: {error}", where=f"--since {given}") from error
    return Revision(root, given, commit, files, present)


def _commit(root: Path, given: str) -> str:
    where = f"--since {given}"
    if not given.strip() or given.startswith("-") or not given.isprintable():
        raise UsageError(
            f"{given!r} is no revision",
            where="--since",
            mend="give a commit, a branch or a tag, such as --since HEAD~1",
        )
    try:
        # One after the other: ':/text' takes everything to its end as the text.
        found = _verified(root, given)
        return _verified(root, f"{found}^{{commit}}")
    except _GitError as error:
        shallow = _git(root, "rev-parse", "--is-shallow-repository").strip() == b"true"
        if shallow:
            raise UsageError(
                "there is no such revision in this clone, which is a shallow one",
                where=where,
                mend="fetch its history: git fetch --unshallow (in CI: a fetch depth of 0)",
            ) from error
        said = f"; git says: {error}" if str(error) else ""
        raise UsageError(
            f"there is no such revision{said}",
            where=where,
            mend="give one commit, branch or tag that is here; see: git log, git fetch",
        ) from error


def _verified(root: Path, given: str) -> str:
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", given)
    return found.decode("ascii").strip()


def _files(root: Path, commit: str) -> Iterator[tuple[Path, Blob]]:
    """Files of a commit, and of the commits of its submodules that are here."""
    for entry in _entries(_git(root, "ls-tree", "-r", "-z", "--full-tree", commit)):
        about, _, name = entry.partition("\t")
        mode, _, key = about.split(" ")
        place = root / name
        if mode in _FILE:
            yield place, Blob(root, key)
        elif mode == _SUBMODULE and (place / ".git").exists():
            try:
                yield from _files(place, key)
            except _GitError:
                continue  # the commit was never fetched: all files there count as new


def _present(root: Path, files: dict[Path, Blob]) -> Iterator[Path]:
    """Files of the working tree and of submodules in it that git does not ignore."""
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in _entries(listed):
        place = root / name
        if name.endswith("/"):
            continue  # another repository that merely lies here
        if (place / ".git").exists() and place not in files:
            yield from _present(place, files)
        else:
            yield place


def _entries(listed: bytes) -> list[str]:
    return [os.fsdecode(entry) for entry in listed.split(b"\0") if entry]


def _blob_key(content: bytes, like: str) -> str:
    """Hash a file's content as git does.

    Source: git's documentation, gitformat-pack and "Git Objects" in Pro Git.
    """
    new = _HASHES.get(len(like), hashlib.sha1)
    digest = new(b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()


def _git(folder: Path, *arguments: str) -> bytes:
    """What git prints.

    Raises:
        _GitError: if it cannot do it.
        UsageError: if there is no git here.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _HERE}
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and no argument is an option by accident
            command, env=environment, capture_output=True, timeout=_SECONDS, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise UsageError("git is not installed", where="--since", mend=_MEND) from error
    except subprocess.TimeoutExpired as error:
        raise _GitError(f"nothing for {_SECONDS} seconds") from error
    if done.returncode:
        raise _GitError(done.stderr.decode("utf-8", "replace").strip().replace("\n", " "))
    return done.stdout
