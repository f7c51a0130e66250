"""How a process trains: its threads, how it keeps freed memory, when it ends, what it costs."""

from __future__ import annotations

import ctypes
import os
import platform
import threading
import time
from multiprocessing import connection, parent_process
from typing import TYPE_CHECKING

import torch
from scipy.linalg import cython_blas  # noqa: F401 - loaded before its threads are counted
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ALLOCATOR = "ABLATION_ALLOCATOR"

# From glibc's malloc.h; its mallopt(3) explains each.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_MOST = (1 << 31) - 1
_CHUNK = 64 << 20


def set_up(threads: int, environment: Mapping[str, str]) -> None:
    """Set this process up for one training.

    Args:
        threads: of torch's kernels and of the BLAS.
        environment: where ``ABLATION_ALLOCATOR=system`` leaves the allocator as it is.
    """
    use_threads(threads)
    if environment.get(ALLOCATOR, "") != "system":
        keep_freed_memory()


def use_threads(threads: int) -> None:
    """Let torch's kernels, and the BLAS under compiled loops and numpy, use so many threads."""
    torch.set_num_threads(threads)
    ThreadpoolController().limit(limits=threads, user_api="blas")


def keep_freed_memory() -> bool:
    """Let glibc keep what is freed for the next step, and say whether that was possible.

    By default every activation of some MiB is mapped anew and given back within the step, and the
    kernel clears its pages each time. Results do not depend on it. Elsewhere than on glibc
    nothing happens.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    options = ((_MMAP_THRESHOLD, _MOST), (_TRIM_THRESHOLD, _MOST), (_TOP_PAD, _CHUNK))
    return all(mallopt(option, value) == 1 for option, value in options)


def die_with_parent(exit_now: Callable[[int], object] = os._exit) -> None:
    """End this process as soon as the one that asked for it is gone, even by ``kill -9``."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        exit_now(1)

    threading.Thread(target=watch, daemon=True, name="die-with-parent").start()


def cpu_seconds() -> float:
    """CPU time of this process and of those that it started and that have ended, in seconds."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system
