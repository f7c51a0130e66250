"""What a shell completes after a flag: features, models, sources, hardware and choices."""

from __future__ import annotations

from collections.abc import Callable
from enum import EnumType
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from harness.declared import declared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Completer = Callable[[str], list[str]]

GPUS: Final = ("t4", "v100", "a100", "h100")
"""Kinds that clouds rent out most; any other can be typed."""


def features(incomplete: str) -> list[str]:
    """A list of features by comma and plus, each with fields in brackets."""
    from harness.matrix.shapes import ALL  # noqa: PLC0415

    return _selections(incomplete, _declared("features"), (ALL,))


def arm(incomplete: str) -> list[str]:
    """A baseline or the arm of one run."""
    from harness.matrix.shapes import BASELINES  # noqa: PLC0415

    return _selections(incomplete, _declared("features"), BASELINES)


def models(incomplete: str) -> list[str]:
    """A list of models by comma."""
    return _selections(incomplete, _declared("models"), ())


def data(incomplete: str) -> list[str]:
    """A list of sources and paths by comma."""
    from harness.graphs.sources import SOURCES  # noqa: PLC0415 - half a second

    known = {name: tuple(kind.model_fields) for name, kind in SOURCES}
    start, last = _cut(incomplete, ",")
    return [*_selections(incomplete, known, ()), *(start + path for path in _paths(last))]


def hardware(incomplete: str) -> list[str]:
    """A list of hardware kinds by comma, this machine's among them."""
    from harness.hardware import cpu_kind, cpu_model  # noqa: PLC0415

    known: dict[str, tuple[str, ...]] = dict.fromkeys([cpu_kind(cpu_model(), 1), *GPUS], ())
    return _selections(incomplete, known, ())


_LISTS: Final[dict[str, Completer]] = {
    "data": data, "features": features, "models": models, "baseline": arm, "hardware": hardware,
}  # fmt: skip


def completer_of(name: str, annotation: Any) -> Completer | None:
    """What completes the setting of that name and type; None leaves it to the shell."""
    if name in _LISTS:
        return _LISTS[name]
    kinds = [annotation, *get_args(annotation)]
    words = [word for kind in kinds for word in get_args(kind) or _members(kind)]
    choices = [word for word in words if isinstance(word, str)]
    if not choices:
        return None

    def choose(incomplete: str) -> list[str]:
        return [one for one in choices if one.startswith(incomplete)]

    return choose


def _members(kind: Any) -> list[Any]:
    members: list[Any] = list(kind) if isinstance(kind, EnumType) else []
    return [one.value for one in members]


def _selections(
    incomplete: str, known: Mapping[str, tuple[str, ...]], words: Iterable[str]
) -> list[str]:
    """The text with its last name, or the last field in its bracket, completed."""
    start, last = _cut(incomplete, ",+")
    name, bracket, fields = last.partition("[")
    if not bracket:
        return [start + one for one in sorted([*known, *words]) if one.startswith(name)]
    before, field = _cut(fields, ",")
    offered = (f"{one}=" for one in known.get(name, ()) if one.startswith(field))
    return [f"{start}{name}[{before}{one}" for one in offered]


def _cut(text: str, separators: str) -> tuple[str, str]:
    """Split behind the last separator that stands outside of brackets."""
    depth, cut = 0, 0
    for place, letter in enumerate(text, start=1):
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if letter in separators and depth == 0:
            cut = place
    return text[:cut], text[cut:]


def _paths(text: str) -> Iterator[str]:
    typed = Path(text)
    folder, stem = (typed, "") if text.endswith("/") else (typed.parent, typed.name)
    if not text or not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(stem) and not path.name.startswith("."):
            yield f"{path}/" if path.is_dir() else str(path)


def _declared(group: str) -> dict[str, tuple[str, ...]]:
    return {one.name: one.fields for one in declared(f"ablation.{group}")}
