"""How much memory a training may take on this machine, in bytes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROC, _CGROUP = Path("/proc"), Path("/sys/fs/cgroup")
_FREE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)
_GIVEN_BACK = re.compile(r"^inactive_file (\d+)$", re.MULTILINE)


def available_memory(device: str = "cpu") -> int:
    """Bytes that are free on a device now: of a GPU, or of the machine within its limits.

    Args:
        device: a torch device string.
    """
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    return machine_memory(_PROC, _CGROUP)


def machine_memory(proc: Path, cgroup: Path) -> int:
    """Bytes that the machine and every control group around this process leave free.

    Page cache that can be given back counts as free.

    Args:
        proc: ``/proc``; where it tells nothing, half of the physical memory is taken.
        cgroup: where version 2 of the control groups is mounted.
    """
    found = _FREE.search(_text(proc / "meminfo"))
    if found is None:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return min([whole // 2, *_left_by_groups(proc, cgroup)])
    return min([1024 * int(found.group(1)), *_left_by_groups(proc, cgroup)])


def _left_by_groups(proc: Path, cgroup: Path) -> Iterator[int]:
    line = next((one for one in _text(proc / "self/cgroup").split() if one.startswith("0::/")), "")
    folder = cgroup / line.removeprefix("0::/")
    for group in (folder, *folder.parents):
        most, used = _text(group / "memory.max").strip(), _text(group / "memory.current").strip()
        if most.isdigit() and used.isdigit():
            cached = _GIVEN_BACK.search(_text(group / "memory.stat"))
            yield max(0, int(most) - int(used) + (int(cached.group(1)) if cached else 0))
        if group == cgroup:
            return


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""
