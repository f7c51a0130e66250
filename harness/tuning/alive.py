"""Which workers of a study are alive: each holds a lock that goes with its process."""

from __future__ import annotations

import re
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TOKEN = re.compile(r"[0-9a-f]{32}\Z")


class Workers:
    """The workers of one study that share a folder of locks.

    Args:
        folder: of the locks; None where the storage itself knows who is alive.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.me = secrets.token_hex(16)

    @contextmanager
    def present(self) -> Iterator[None]:
        """Be alive for the others inside the block."""
        if self._folder is None:
            yield
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / self.me
        with FileLock(path):
            yield
        path.unlink(missing_ok=True)

    def gone(self, token: object) -> bool:
        """Whether the worker of this token is certainly no more."""
        if self._folder is None or token == self.me:
            return False
        if not isinstance(token, str) or not _TOKEN.match(token):
            return True
        path = self._folder / token
        if not path.exists():
            return True
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        lock.release()
        path.unlink(missing_ok=True)
        return True
