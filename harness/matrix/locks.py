"""Who may use the machine: trials together, a timed block alone.

Two file locks in the system's temporary folder, so that they hold over all runs of one machine:
those who train hold ``shared``, those who time hold it exclusively. ``gate`` makes newcomers wait
while a timer waits, so that it is not starved.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def _open(name: str, folder: Path | None) -> int:
    root = Path(tempfile.gettempdir()) if folder is None else folder
    path = root / f"gnn-ablation-{os.getuid()}-{name}.lock"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextmanager
def shared(folder: Path | None = None) -> Iterator[None]:
    """Hold the machine together with other trials; waits while a block is timed."""
    gate, lock = _open("gate", folder), _open("machine", folder)
    try:
        fcntl.flock(gate, fcntl.LOCK_SH)
        fcntl.flock(lock, fcntl.LOCK_SH)
        os.close(gate)
        gate = -1
        yield
    finally:
        if gate >= 0:
            os.close(gate)
        os.close(lock)


@contextmanager
def exclusive(folder: Path | None = None) -> Iterator[None]:
    """Hold the machine alone; waits for running trials to end and keeps new ones out."""
    gate, lock = _open("gate", folder), _open("machine", folder)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(gate)
        os.close(lock)


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold a file's lock: two processes never work on the same trial."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
