"""Objects below a URL, each written whole: buckets of S3, Google and Azure, or a folder.

obstore speaks to all of them, writes an object only where there is none if it is asked to, and
shows nothing of an upload that was torn. It finds credentials in the environment or in what the
machine is given by its cloud: https://developmentseed.org/obstore/latest/authentication/
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url

from harness.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from obstore.store import ObjectStore

AT_ONCE: Final = 32
"""Objects that are asked for together."""

SMALL: Final = 16 << 20
"""Bytes of an object that may be held in memory beside so many others."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_KINDS: Final = ("s3", "gs", "az", "file")
_WAIT: Final = timedelta(seconds=30)
_TOO_LARGE = "delete it: nothing that is shared is as large"
_MEND = "look at address, credentials and network, then run the same command again"


def is_url(text: str) -> bool:
    """Whether a text is a URL, such as ``s3://bucket/folder``, and no path."""
    return _URL.match(text) is not None


class TooLargeError(StoreError):
    """An object has more bytes than what it should be can have."""


def whole(found: bytes | TooLargeError) -> bytes:
    """The content of an object that `Objects.each` found.

    Raises:
        TooLargeError: if that is what it found.
    """
    if isinstance(found, TooLargeError):
        raise found
    return found


class Objects:
    """The objects below a URL.

    Args:
        url: such as ``s3://bucket/folder``.
        make: whether a folder that is not there is made.

    Raises:
        UsageError: if it is no URL, of an unknown kind, or a folder that is not there.
    """

    def __init__(self, url: str, *, make: bool = True) -> None:
        self.url = url.rstrip("/")
        self._store = _open(self.url, make=make)

    def address(self, *parts: str) -> str:
        """An object's URL, for messages."""
        return "/".join((self.url, *parts))

    def versions(self, folder: str) -> dict[str, str]:
        """Names of a folder's objects, and a text for each that changes with its content.

        Raises:
            StoreError: if the folder cannot be listed.
        """
        found = {}
        with self._told(folder):
            for some in obstore.list(self._store, f"{folder}/", chunk_size=1000):
                for one in some:
                    _, _, name = one["path"].rpartition(f"{folder}/")
                    if "/" not in name and not name.startswith("."):
                        found[name] = f"{one['e_tag']} {one['last_modified']} {one['size']}"
        return found

    def get(self, *parts: str, most: int) -> bytes | None:
        """An object's content; None where there is none.

        Args:
            parts: of its path.
            most: bytes that it may have; of a larger one nothing is read.

        Raises:
            TooLargeError: if it is larger.
            StoreError: if it cannot be read.
        """
        with self._told(*parts):
            # In a folder, what is no file is not listed either; a pipe would be waited for.
            folder = self._store.prefix if isinstance(self._store, LocalStore) else None
            if folder is not None and not Path(folder, *parts).is_file():
                return None
            try:
                found = obstore.get(self._store, "/".join(parts))
            except FileNotFoundError:
                return None
            size = found.meta["size"]
            if size <= most:
                return bytes(found.bytes())
        raise TooLargeError(
            f"has {size} bytes, of {most} at most", where=self.address(*parts), mend=_TOO_LARGE
        )

    def get_all(
        self, places: Sequence[Sequence[str]], most: int
    ) -> list[bytes | TooLargeError | None]:
        """Contents of objects, several at a time; None where there is none.

        Args:
            places: paths of them.
            most: bytes that each may have; in the place of a larger one is the error.

        Raises:
            StoreError: if one cannot be read.
        """
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda parts: self._bounded(parts, most), places))

    def each(
        self, places: Iterable[tuple[str, str]], most: int
    ) -> Iterator[tuple[tuple[str, str], bytes | TooLargeError]]:
        """Those of the places that hold an object, each with its content, some at a time.

        Large ones are read one by one, so that it is the largest that memory must hold.

        Args:
            places: folder and name of each.
            most: bytes that each may have; in the place of a larger one is the error.

        Raises:
            StoreError: if one cannot be read.
        """
        left = iter(places)
        while some := list(islice(left, AT_ONCE)):
            contents = self.get_all(some, min(SMALL, most))
            for place, content in zip(some, contents, strict=True):
                large = isinstance(content, TooLargeError)
                found = self._bounded(place, most) if large else content
                if found is not None:
                    yield place, found

    def _bounded(self, parts: Sequence[str], most: int) -> bytes | TooLargeError | None:
        try:
            return self.get(*parts, most=most)
        except TooLargeError as error:
            return error

    def put(self, content: bytes, *parts: str) -> None:
        """Write an object whole, over an older one.

        Raises:
            StoreError: if it cannot be written; the older one is untouched.
        """
        with self._told(*parts):
            obstore.put(self._store, "/".join(parts), content)

    def put_new(self, content: bytes, *parts: str) -> bool:
        """Write a small object unless there is one, and say whether it was written.

        Raises:
            StoreError: if it cannot be written.
        """
        with self._told(*parts):
            try:
                obstore.put(self._store, "/".join(parts), content, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def delete(self, *parts: str) -> None:
        """Remove an object; none is no error.

        Raises:
            StoreError: if it cannot be removed.
        """
        with self._told(*parts):
            try:
                obstore.delete(self._store, "/".join(parts))
            except FileNotFoundError:
                return

    @contextmanager
    def _told(self, *parts: str) -> Iterator[None]:
        """Say where it was that the store could not be reached."""
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            said = str(error).partition("\n")[0] or type(error).__name__
            raise StoreError(
                f"cannot be reached: {said}", where=self.address(*parts), mend=_MEND
            ) from error


def _open(url: str, *, make: bool) -> ObjectStore:
    parts = urlsplit(url)
    if not is_url(url) or parts.scheme not in _KINDS:
        raise UsageError(
            "is no address of objects", where=f"'{url}'",
            mend="name one: s3://BUCKET/FOLDER, gs://..., az://... or file:///FOLDER",
        )  # fmt: skip
    try:
        if parts.scheme == "file":
            return LocalStore(_folder(url, make=make), mkdir=make)
        return from_url(
            url,
            # Whoever names an endpoint of their own by http wants that.
            client_options={
                "timeout": timedelta(minutes=2),
                "connect_timeout": _WAIT,
                "allow_http": True,
            },
            retry_config={"max_retries": 5, "retry_timeout": _WAIT},
        )
    except (BaseError, OSError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise UsageError(f"cannot be opened: {said}", where=url, mend=_MEND) from error


def _folder(url: str, *, make: bool) -> Path:
    """The folder of a ``file://`` URL.

    Source: RFC 8089, The "file" URI Scheme: an empty host or localhost, and an encoded path.
    """
    host, slash, path = url.partition("://")[2].partition("/")
    if not slash or host not in ("", "localhost"):
        raise UsageError(
            "names no folder from the root of the file system", where=f"'{url}'",
            mend="write three slashes: file:///FOLDER",
        )  # fmt: skip
    folder = Path("/", unquote(path))
    if not make and not folder.is_dir():
        raise UsageError(
            "there is no such folder", where=url, mend="run first: ablate run --share URL"
        )
    return folder
