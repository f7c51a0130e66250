"""The selection grammar: ``name``, ``name[field=value,...]``, joined by ``+``.

The same in flags, files and reports: ``amp[dtype=bf16]+swa``. Several selections in one flag are
separated by commas outside brackets: ``amp,swa[start=0.5]``.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

Scalar = str | int | float | bool | None

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_NUMBER = re.compile(
    r"[+-]?([0-9]{1,64}|([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][+-]?[0-9]{1,3})?)\Z"
)
_PLAIN = re.compile(r"[A-Za-z0-9_./:~-]+\Z")
_MAX_LENGTH = 4096


@dataclass(frozen=True, eq=False)
class Selection:
    """One name with the values given to its fields; two are equal if they are written alike."""

    name: str
    values: Mapping[str, Scalar] = field(default_factory=dict)

    def __str__(self) -> str:
        if not self.values:
            return self.name
        values = ",".join(f"{key}={_write(self.values[key])}" for key in sorted(self.values))
        return f"{self.name}[{values}]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selection) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


def is_name(text: object) -> bool:
    """Whether something can name a feature, a model, a source or one of their fields."""
    return isinstance(text, str) and _NAME.match(text) is not None


def parse_list(text: str) -> list[tuple[Selection, ...]]:
    """Read a comma-separated list of selections, each joined by ``+``.

    Raises:
        UsageError: naming the text and the place in it.
    """
    if len(text) > _MAX_LENGTH:
        raise UsageError(f"a selection is at most {_MAX_LENGTH} characters long")
    return [parse(part) for part in split_list(text)]


def split_list(text: str) -> list[str]:
    """Split a comma-separated list, commas in brackets and quotes aside; empty parts go.

    Raises:
        UsageError: if brackets or quotes do not match.
    """
    return [part.strip() for part in _split(text, ",") if part.strip()]


def parse(text: str) -> tuple[Selection, ...]:
    """Read one selection such as ``amp[dtype=bf16]+swa``.

    Raises:
        UsageError: naming the text and the place in it.
    """
    return tuple(_parse_one(part.strip(), text) for part in _split(text, "+"))


def parse_single(text: str) -> Selection:
    """Read a selection of exactly one name, as for a model.

    Raises:
        UsageError: if several are joined by ``+``.
    """
    parts = parse(text)
    if len(parts) != 1:
        raise UsageError(f"'{text}' joins {len(parts)} names where one is wanted")
    return parts[0]


def write(selections: tuple[Selection, ...]) -> str:
    """Write a selection in its canonical form; ``parse`` reads it back to the same."""
    return "+".join(str(selection) for selection in selections)


def _parse_one(part: str, whole: str) -> Selection:
    name, bracket, rest = part.partition("[")
    name = name.strip()
    if not _NAME.match(name):
        raise UsageError(
            f"'{name or part}' is no name in the selection '{whole}'",
            mend="write name, name[field=value,...] or several joined by +",
        )
    if not bracket:
        return Selection(name)
    if not rest.endswith("]"):
        raise UsageError(f"'[' is not closed in the selection '{whole}'", mend="end it with ']'")
    values: dict[str, Scalar] = {}
    for item in _split(rest[:-1], ","):
        if not item.strip():
            continue
        key, equals, value = item.partition("=")
        key = key.strip()
        if not equals or not _NAME.match(key):
            raise UsageError(
                f"'{item.strip()}' is no field=value in the selection '{whole}'",
                mend=f"write {name}[field=value]",
            )
        if key in values:
            raise UsageError(f"field '{key}' is given twice in the selection '{whole}'")
        values[key] = _read(value.strip(), whole)
    return Selection(name, values)


def _split(text: str, separator: str) -> list[str]:
    """Split at a separator outside of brackets and quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    skip = False
    for place, letter in enumerate(text):
        if skip:
            skip = False
        elif quoted:
            skip = letter == "\\"
            quoted = letter != '"'
        elif letter == '"':
            quoted = True
        elif letter == "[":
            depth += 1
        elif letter == "]":
            depth -= 1
        elif letter == separator and depth == 0:
            parts.append(text[start:place])
            start = place + 1
        if depth not in (0, 1):
            raise UsageError(f"brackets do not match at character {place + 1} of '{text}'")
    if quoted:
        raise UsageError(f"a quote is not closed in '{text}'", mend='end the value with "')
    return [*parts, text[start:]]


def _read(value: str, whole: str) -> Scalar:
    if value.startswith('"'):
        try:
            return str(json.loads(value))
        except json.JSONDecodeError as error:
            raise UsageError(f"{value} is no quoted text in the selection '{whole}'") from error
    words: dict[str, Scalar] = {"true": True, "false": False, "none": None}
    if value.lower() in words:
        return words[value.lower()]
    if _NUMBER.match(value):
        number = float(value) if set(value) & set(".eE") else int(value)
        if number in (math.inf, -math.inf):
            raise UsageError(
                f"{value} is too large a number in the selection '{whole}'",
                mend="give one of at most 1e308",
            )
        return number
    if not _PLAIN.match(value):
        raise UsageError(
            f"'{value}' cannot stand in the selection '{whole}' as it is",
            mend='put values with other signs into quotes: field="a value"',
        )
    return value


def _write(value: Scalar) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and (not _PLAIN.match(value) or _read(value, value) != value):
        return json.dumps(value)
    return repr(value) if isinstance(value, float) else str(value)
