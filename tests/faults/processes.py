"""The processes of a campaign, found by the log of their trial that they print to."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from harness.matrix.worker import LOG


def workers(out: Path) -> list[int]:
    """Process ids of the trials under way in a store, each the first of its trial."""
    found = _of(out)
    return sorted(pid for pid, parent in found.items() if parent not in found)


def ranks(out: Path) -> list[int]:
    """Process ids of what trials have started, such as the ranks of ddp."""
    found = _of(out)
    return sorted(pid for pid, parent in found.items() if parent in found)


def _of(out: Path) -> dict[int, int]:
    """Process ids and parents of those that print to a log of the store."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            log = (entry / "fd/1").readlink()
            if log.name == LOG and log.is_relative_to(out):
                state, parent = (entry / "stat").read_text("ascii").rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    found[int(entry.name)] = int(parent)
    return found
