"""What a process holds in memory, by the kernel's own account."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STATUS = Path("/proc/self/status")
_EVERY = 0.02


def status(name: str, text: str | None = None) -> int:
    """An entry of ``/proc/self/status`` in bytes, such as ``RssAnon`` or ``VmHWM``.

    ``RssAnon`` is what the process holds of its own, without mapped files, whose pages are cache.
    ``VmHWM`` is the peak of both, as ``ru_maxrss``, save that it starts anew with the program and
    not with the process that started it.

    Raises:
        ValueError: if there is no such entry.
    """
    found = re.search(rf"^{name}:\s+(\d+) kB$", text or _STATUS.read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"/proc/self/status has no entry {name}")
    return 1024 * int(found.group(1))


class Peak:
    """The largest value seen."""

    value = 0

    def see(self, value: int) -> None:
        """Keep it if it is the largest."""
        self.value = max(self.value, value)


@contextmanager
def sampled(
    read: Callable[[], int] = lambda: status("RssAnon"), every: float = _EVERY
) -> Iterator[Peak]:
    """The peak of a figure that no one keeps the peak of, read at both ends and in between.

    Args:
        read: the figure.
        every: seconds between readings.
    """
    peak, ended = Peak(), threading.Event()

    def watch() -> None:
        while not ended.wait(every):
            peak.see(read())

    peak.see(read())
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()
        peak.see(read())
