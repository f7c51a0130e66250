"""What a run is, in plain values, and what its files say of where they come from."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import torch

from harness.models.registry import model_values

if TYPE_CHECKING:
    from harness.result import FitSpec

SCHEMA = 1

_LONGEST = 70


def configuration(spec: FitSpec) -> dict[str, Any]:
    """What the run is, as plain values; two runs with the same one are the same run."""
    return {
        "model": spec.model.name,
        "model_values": model_values(spec.model),
        "arm": [str(feature) for feature in spec.arm],
        "settings": spec.settings.model_dump(mode="json"),
        "seed": spec.seed,
        "data": spec.graphs.content,
        "data_name": spec.graphs.info.name,
        "device": torch.device(spec.device).type,
    }


def differences(stored: object, wanted: dict[str, Any]) -> list[str]:
    """Say where a stored configuration is not the wanted one, one short sentence each."""
    if not isinstance(stored, dict):
        return ["it holds no configuration"]
    there, here = _flat(stored), _flat(wanted)
    return [
        f"{key} is {_short(there.get(key))} there and {_short(here.get(key))} here"
        for key in sorted(there.keys() | here.keys())
        if key not in there or key not in here or there[key] != here[key]
    ]


def _flat(values: dict[Any, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        found |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: repr(value)}
    return found


def _short(value: str | None) -> str:
    text = "missing" if value is None else value
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def metadata(spec: FitSpec) -> dict[str, Any]:
    """What every checkpoint and diagnostic report says of the run it belongs to."""
    return {
        "schema": SCHEMA,
        "configuration": configuration(spec),
        "git_commit": git_commit(),
        "torch": str(torch.__version__),  # of a class of its own, which no checkpoint can hold
    }


def git_commit() -> str | None:
    """The commit of the working folder, with ``+changes`` where it is not clean; None outside."""

    def git(*arguments: str) -> str:
        # No optional locks: several runs may ask at the same time.
        command = ["git", "--no-optional-locks", *arguments]
        return subprocess.run(  # noqa: S603 - fixed words
            command, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        return f"{commit}+changes" if git("status", "--porcelain", "-uno") else commit
    except (OSError, subprocess.SubprocessError):
        return None
