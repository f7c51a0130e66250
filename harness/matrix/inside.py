"""Reading a folder that came from elsewhere: no link is followed and nothing outside is read."""

from __future__ import annotations

import json
import os
import stat
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from harness.errors import StoreError
from harness.files import MAX_JSON_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe must not make the reader wait for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MOST_FILES = 1000
_MOST_FOLDERS = 4


class Inside:
    """A folder whose content nobody vouches for.

    The folder itself may be named through a link, since the user named it; below it every step is
    taken from the folder before it, and a link is an error.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, *parts: str) -> str:
        """A place inside, for messages."""
        return str(self.root.joinpath(*parts))

    def read(self, *parts: str, most: int = MAX_JSON_BYTES) -> bytes | None:
        """Content of a file; None where there is no such file.

        Args:
            parts: names of the folders on the way, and of the file.
            most: bytes that it may have.

        Raises:
            StoreError: if a link is on the way, or it is no plain file or too large.
        """
        with ExitStack() as opened:
            try:
                folder = opened.enter_context(self._folder(parts[:-1]))
                handle = os.open(_checked(parts[-1]), _FILE, dir_fd=folder)
            except FileNotFoundError:
                return None
            except OSError as error:
                raise self._error(error, parts) from error
            opened.callback(os.close, handle)
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise StoreError("is no plain file", where=self.path(*parts))
            with os.fdopen(handle, "rb", closefd=False) as file:
                # Room is made for all that is asked for, so no more is than there is.
                content = file.read(min(most, found.st_size) + 1)
        if len(content) > most:
            raise StoreError(f"larger than {most >> 20} MiB", where=self.path(*parts))
        return content

    def json(self, *parts: str) -> Any:
        """JSON data of a file, which is not null; None where there is no such file.

        Raises:
            StoreError: as for ``read``, or if it is not JSON, or null.
        """
        content = self.read(*parts)
        if content is None:
            return None
        found = self.parsed(content, *parts)
        if found is None:
            raise StoreError("holds nothing but null", where=self.path(*parts))
        return found

    def parsed(self, content: bytes, *parts: str) -> Any:
        """JSON data of a file that was read.

        Raises:
            StoreError: if it is not JSON.
        """
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise StoreError(f"not JSON: {error}", where=self.path(*parts)) from error

    def names(self, *parts: str) -> list[str]:
        """Names in a folder, sorted, those that begin with a dot left out; empty if it is missing.

        Raises:
            StoreError: if a link is on the way, or it is no folder.
        """
        try:
            with self._folder(parts) as folder:
                names = os.listdir(folder)  # noqa: PTH208 - of an open folder, which no Path names
            return sorted(name for name in names if not name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._error(error, parts) from error

    def files(self, *parts: str) -> list[tuple[str, ...]]:
        """Places of all files in a folder and the folders in it, sorted; empty if it is missing.

        Raises:
            StoreError: if there is anything but files and folders, too many, or too deep.
        """
        found: list[tuple[str, ...]] = []
        self._walk(parts, found, _MOST_FOLDERS)
        return sorted(found)

    def _walk(self, parts: tuple[str, ...], found: list[tuple[str, ...]], deeper: int) -> None:
        for name in self.names(*parts):
            place = (*parts, name)
            with self._folder(parts) as folder:
                mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode) and deeper:
                self._walk(place, found, deeper - 1)
            elif stat.S_ISREG(mode) and len(found) < _MOST_FILES:
                found.append(place)
            else:
                raise StoreError(
                    "is no plain file, or lies too deep, or is one file too many",
                    where=self.path(*place),
                )

    @contextmanager
    def _folder(self, parts: tuple[str, ...]) -> Iterator[int]:
        handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts:
                below = os.open(_checked(part), _FOLDER, dir_fd=handle)
                os.close(handle)
                handle = below
            yield handle
        finally:
            os.close(handle)

    def _error(self, error: OSError, parts: tuple[str, ...]) -> StoreError:
        for count in range(1, len(parts) + 1):
            if self.root.joinpath(*parts[:count]).is_symlink():
                return StoreError(
                    "is a symbolic link, and none is followed in a store",
                    where=self.path(*parts[:count]),
                    mend="put the files themselves there",
                )
        return StoreError(f"cannot be read: {error.strerror}", where=self.path(*parts))


def _checked(name: str) -> str:
    if not name or name in {".", ".."} or "/" in name or "\0" in name:
        raise StoreError(f"{name!r} is no name of a file in a store")
    return name
