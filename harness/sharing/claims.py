"""Who trains a trial now: leases that tell machines apart without comparing their clocks.

A claim is a small object that its owner rewrites while it works. Whoever looks on takes it for
alive while it changes, by the time that passes on the looker's own clock. Two owners at once waste
a training and nothing else, since both find the same bits.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from harness.sharing.objects import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.sharing.objects import Objects

FOLDER: Final = "claims"
LIFETIME: Final = 120.0
"""Seconds without a change after which a claim counts as left behind."""

RENEWAL: Final = 30.0
"""Seconds between two changes of a claim that is held."""


@dataclass(frozen=True)
class Owner:
    """A process that claims trials.

    Attributes:
        host: of the machine.
        pid: of the process.
        token: by which it knows its own claims.
    """

    host: str
    pid: int
    token: str

    @classmethod
    def here(cls) -> Owner:
        """This process."""
        return cls(socket.gethostname(), os.getpid(), secrets.token_hex(8))


_UNKNOWN: Final = ""
_MOST_BYTES: Final = 64 << 10


@dataclass
class _Seen:
    version: str
    since: float
    gone: bool


@dataclass
class Claims:
    """The claims below one URL, as one process sees them.

    Args:
        objects: where they are.
        owner: this process.
        clock: seconds that only go forward.
    """

    objects: Objects
    owner: Owner = field(default_factory=Owner.here)
    clock: Callable[[], float] = time.monotonic
    _mine: dict[str, int] = field(default_factory=dict)
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _renewed: float = 0.0

    def take(self, key: str) -> bool:
        """Claim a trial, unless another process is seen to hold it.

        Raises:
            StoreError: if the claims cannot be reached.
        """
        if key in self._seen and not self._is_dead(self._seen[key]):
            return False
        if key in self._seen:
            self.objects.delete(FOLDER, _name(key))
            del self._seen[key]
        if not self.objects.put_new(self._content(0), FOLDER, _name(key)):
            # Somebody was first since the last look; the next look tells whether they live.
            self._seen[key] = _Seen(_UNKNOWN, self.clock(), gone=False)
            return False
        self._mine[key] = 0
        return True

    def release(self, key: str) -> None:
        """Give a claim back.

        Raises:
            StoreError: if the claims cannot be reached.
        """
        if self._mine.pop(key, None) is not None:
            self.objects.delete(FOLDER, _name(key))

    def renew(self) -> None:
        """Show that this process lives, where it is time to.

        Raises:
            StoreError: if the claims cannot be reached.
        """
        now = self.clock()
        if now - self._renewed < RENEWAL:
            return
        self._renewed = now
        for key, count in self._mine.items():
            self._mine[key] = count + 1
            self.objects.put(self._content(count + 1), FOLDER, _name(key))

    def look(self) -> frozenset[str]:
        """Look at all claims, and name the trials that other processes hold.

        Raises:
            StoreError: if the claims cannot be reached.
        """
        now, seen = self.clock(), {}
        for name, version in self.objects.versions(FOLDER).items():
            key = name.removesuffix(".json")
            if key in self._mine:
                continue
            before = self._seen.get(key)
            if before is not None and before.version == version:
                seen[key] = before
                continue
            # One that was met in passing is as old as that meeting.
            since = before.since if before is not None and before.version == _UNKNOWN else now
            seen[key] = _Seen(version, since, gone=self._is_gone(key))
        self._seen = seen
        return frozenset(key for key, one in seen.items() if not self._is_dead(one))

    def _is_dead(self, seen: _Seen) -> bool:
        return seen.gone or self.clock() - seen.since > LIFETIME

    def _is_gone(self, key: str) -> bool:
        """Whether the owner was a process of this machine that has ended."""
        try:
            content = self.objects.get(FOLDER, _name(key), most=_MOST_BYTES)
            said = json.loads(content or b"{}")
            host, pid = said["host"], int(said["pid"])
        except (TooLargeError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
            return False
        if host != self.owner.host or pid <= 0:
            return False
        with contextlib.suppress(PermissionError, OverflowError):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
        return False

    def _content(self, count: int) -> bytes:
        return json.dumps({**vars(self.owner), "count": count}).encode()


def _name(key: str) -> str:
    return f"{key}.json"
