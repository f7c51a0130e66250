"""What machine this is: canonical names of GPUs and CPUs, and what was installed on it."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.errors import UsageError

_GPU = re.compile(
    r"\b(T4|V100|A100|H100|H200|L4|L40S?|A10G?|A30|A40|B200|P100|K80|RTX\s?A?\d{4}(?:\s?Ti)?)\b",
    re.IGNORECASE,
)
_NOISE = re.compile(r"\((r|tm|c)\)|processor|cpu|@.*|\d+-core|with .*", re.IGNORECASE)
PACKAGES = ("torch", "torch-geometric", "numpy", "numba", "scipy", "scikit-learn")


class Hardware(BaseModel):
    """The hardware and software of a result.

    Attributes:
        kind: canonical name: ``t4``, ``v100``, ``a100``, ``h100``, or ``cpu-...-1t``.
        device: torch device type.
        name: as the device names itself.
        memory_gib: memory of the GPU, or of the machine.
        driver: CUDA runtime that torch was built for, None on the CPU.
        cpu: model of the CPU.
        cores: that this process may use.
        threads: of one training process.
        system: operating system and machine architecture.
        versions: of Python and the packages that results depend on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    device: str
    name: str
    memory_gib: float
    driver: str | None
    cpu: str
    cores: int
    threads: int
    system: str
    versions: dict[str, str]


def describe(device: str = "cpu", threads: int = 1) -> Hardware:
    """Describe this machine as training on ``device`` with ``threads`` threads sees it.

    Raises:
        UsageError: if the device is a GPU and there is none.
    """
    cpu = cpu_model()
    if device.startswith("cuda"):
        name, memory, driver = _gpu(device)
        kind = gpu_kind(name)
    else:
        name, driver, kind = cpu, None, cpu_kind(cpu, threads)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Hardware(
        kind=kind,
        device=device.split(":", maxsplit=1)[0],
        name=name,
        memory_gib=round(memory, 1),
        driver=driver,
        cpu=cpu,
        cores=available_cores(),
        threads=threads,
        system=f"{platform.system()} {platform.machine()}",
        versions=versions(),
    )


def _gpu(device: str) -> tuple[str, float, str | None]:
    import torch  # noqa: PLC0415 - costs seconds, and only GPUs need it

    if not torch.cuda.is_available():
        raise UsageError(
            "there is no CUDA device", where=f"--device {device}", mend="use --device cpu"
        )
    index = torch.device(device).index or 0
    properties = torch.cuda.get_device_properties(index)
    return properties.name, properties.total_memory / 2**30, torch.version.cuda


def gpu_kind(name: str) -> str:
    """Canonical name of a GPU: ``Tesla V100-SXM2-16GB`` is ``v100``."""
    found = _GPU.search(name)
    return re.sub(r"\s+", "", found.group(1)).lower() if found else _slug(name)


def cpu_kind(model: str, threads: int) -> str:
    """Canonical name of a CPU and the threads of a run: ``cpu-amd-epyc-1t``."""
    return f"cpu-{_slug(_NOISE.sub(' ', model))}-{threads}t"


def device_of(kind: str) -> str:
    """The torch device type of a kind of hardware."""
    return "cpu" if kind.startswith("cpu-") else "cuda"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "unknown"


def cpu_model() -> str:
    """The CPU's own name, or the architecture where it has none."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model"):
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def available_cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Versions of Python and the packages that results depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found
