"""What a store shows: what is finished, what it found, and its verdict, to be compared."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.matrix.store import GATE, RESULT, Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Finished = dict[str, dict[str, str]]

_FOUND = (
    "f1", "gate_digest", "metrics", "best_epoch", "threshold", "epochs", "collapse", "notes",
)  # fmt: skip
_TIMED = ("time", "benefit")
_OF_TIME = ("reasons", "sentence", "other_policy", "verdict")


def finished(out: Path) -> Finished:
    """Digests of the result and the predictions of each trial that the store shows as finished."""
    store = Store(out)
    return {
        key: {
            name: hashlib.sha256((out / "trials" / key / name).read_bytes()).hexdigest()
            for name in (RESULT, GATE)
            if (out / "trials" / key / name).exists()
        }
        for key in store.keys()  # noqa: SIM118 - a store is no mapping
    }


def count(out: Path) -> int:
    """How many trials the store shows as finished."""
    return len(Store(out).keys())


def half_written(out: Path) -> list[str]:
    """Trials that the store shows and that cannot be read, one sentence each."""
    store = Store(out)
    found = []
    for key in store.keys():  # noqa: SIM118
        try:
            store.gate(store.result(key))
        except HarnessError as error:
            found.append(f"half-written and believed: {error}")
    return found


def lost(before: Finished, out: Path) -> list[str]:
    """What was finished before and is not as it was, one sentence each."""
    now = finished(out)
    return [f"lost or changed: {key}" for key, files in before.items() if now.get(key) != files]


def findings(out: Path) -> dict[str, dict[str, Any]]:
    """What each finished trial found, seconds left out."""
    store = Store(out)
    return {
        key: {name: store.result(key).model_dump(mode="json")[name] for name in _FOUND}
        for key in store.keys()  # noqa: SIM118
    }


def verdict(out: Path) -> dict[str, Any]:
    """The content of ``verdict.json`` without what a clock measured."""
    document: dict[str, Any] = json.loads((out / "verdict.json").read_bytes())
    for feature in document["features"].values():
        timed = False
        for cell in feature["cells"]:
            for gate in _TIMED:
                timed |= cell["gates"].pop(gate, None) is not None
        if timed:
            for part in (feature, *feature["cells"]):
                for name in _OF_TIME:
                    part.pop(name, None)
    return document


def other_findings(undisturbed: Mapping[str, Mapping[str, Any]], out: Path) -> list[str]:
    """Where trials found something else than undisturbed, one sentence each."""
    return [
        f"trial {key}: {name} is {now[name]} and was {value}"
        for key, now in findings(out).items()
        for name, value in undisturbed.get(key, {}).items()
        if now[name] != value
    ]


def difference(one: Any, other: Any, place: str = "verdict") -> list[str]:
    """Where two JSON values differ, one sentence each."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = dict.fromkeys((*one, *other))
        return [
            line for name in names
            for line in difference(one.get(name), other.get(name), f"{place}.{name}")
        ]  # fmt: skip
    return [] if one == other else [f"{place} is {other} and was {one}"]
