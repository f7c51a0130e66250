"""Which finished trials there are, without listing all of them each time.

Every machine keeps one object with the keys that it has given away, ``index/<machine>.txt``. A look
reads those that have changed. They only save time: what an interrupted machine did not write down
is found by a listing of the trials, which is made at the beginning and at the end.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harness.sharing.objects import Objects

FOLDER: Final = "index"
TRIALS: Final = "trials"
ENDING: Final = ".zip"
_KEY = re.compile(r"[0-9a-f]{32}")
_MOST_BYTES: Final = 64 << 20
"""Of a part: two million keys."""


class Index:
    """Keys of the finished trials below a URL.

    Args:
        objects: where they are.
        machine: name of this process's own part.
    """

    def __init__(self, objects: Objects, machine: str | None = None) -> None:
        self._objects = objects
        self._name = f"{machine or secrets.token_hex(8)}.txt"
        self._mine: list[str] = []
        self._read: dict[str, str] = {}
        self.keys: set[str] = set()

    def rebuild(self) -> None:
        """List all trials, whatever the index says.

        Raises:
            StoreError: if they cannot be listed.
        """
        names = self._objects.versions(TRIALS)
        self.keys = {name.removesuffix(ENDING) for name in names if name.endswith(ENDING)}

    def look(self) -> None:
        """Read the parts that have changed since the last look.

        Raises:
            StoreError: if they cannot be read.
        """
        parts = self._objects.versions(FOLDER)
        changed = [
            name
            for name, version in parts.items()
            if name != self._name and self._read.get(name) != version
        ]
        for (_, name), content in self._objects.each(
            ((FOLDER, one) for one in changed), _MOST_BYTES
        ):
            self._read[name] = parts[name]
            if isinstance(content, bytes):
                self.keys.update(_KEY.findall(content.decode("ascii", "replace")))

    def add(self, key: str) -> None:
        """Write down that a trial is there.

        Raises:
            StoreError: if the part cannot be written.
        """
        self.keys.add(key)
        self._mine.append(key)
        self._objects.put("\n".join(self._mine).encode(), FOLDER, self._name)
