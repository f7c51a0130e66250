"""The text of a search space: ``learning_rate=1e-4..1e-2:log, hidden=32|64|128, swa.start=0..1``.

Entries are separated by commas. A name is a setting of the loop (``learning_rate``), a value of the
model (``hidden``) or a feature's field (``focal_loss.gamma``); ``?`` after it leaves the entry out
where the run has no such thing. What follows ``=`` is a range ``low..high``, with ``:log`` or
``:step=X`` behind it, or choices ``a|b|c``.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass

from harness.errors import HarnessError, UsageError
from harness.selection import Scalar, Selection, parse_single, split_list

LONGEST = 4096
MOST_ENTRIES = 32
MOST_CHOICES = 64

GRAMMAR = (
    "write entries by commas: name=low..high, name=low..high:log, name=low..high:step=X or "
    "name=a|b|c; names are settings (learning_rate), values of the model (hidden) and fields of "
    "the arm's features (focal_loss.gamma)"
)

_NAME = re.compile(r"([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?)(\??)\Z")
_RANGE = re.compile(r"(.+?)\.\.(.+?)(?::(log|step=(.+)))?\Z")
_CHOSEN = frozenset('"|')
_CHOICE = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^|"])*')


@dataclass(frozen=True)
class Entry:
    """One entry of a space as it is written: numbers are read, names are not looked up.

    Attributes:
        name: ``field`` or ``feature.field``.
        optional: whether it is left out where the run has no such thing.
        choices: what to choose from; empty for a range.
        low: the range's lower end.
        high: its upper end.
        log: whether it is searched by orders of magnitude.
        step: distance of the values, or None.
    """

    name: str
    optional: bool = False
    choices: tuple[Scalar, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False
    step: float | None = None

    def __str__(self) -> str:
        head = f"{self.name}{'?' if self.optional else ''}="
        if self.choices:
            return head + "|".join(map(_write, self.choices))
        tail = ":log" if self.log else f":step={self.step!r}" if self.step is not None else ""
        return f"{head}{self.low!r}..{self.high!r}{tail}"


def parse_space(text: str) -> tuple[Entry, ...]:
    """Read the text of a space.

    Raises:
        UsageError: naming the entry that cannot be read.
    """
    if len(text) > LONGEST:
        raise UsageError(f"the search space is longer than {LONGEST} characters", mend=GRAMMAR)
    entries = [_entry(part) for part in split_list(text)]
    if not entries:
        raise UsageError("the search space is empty", mend=GRAMMAR)
    if len(entries) > MOST_ENTRIES:
        raise UsageError(f"the search space has more than {MOST_ENTRIES} entries", mend=GRAMMAR)
    names = [entry.name for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"'{name}' stands twice in the search space", where=text)
    return tuple(entries)


def bad(text: str, what: str, mend: str = GRAMMAR) -> UsageError:
    """The error for one entry of a space."""
    return UsageError(what, where=f"search space, entry '{text}'", mend=mend)


def _entry(text: str) -> Entry:
    name, equals, body = (part.strip() for part in text.partition("="))
    found = _NAME.match(name)
    if not equals or found is None or not body:
        raise bad(text, f"'{name}' is no name with values behind it")
    optional = bool(found[2])
    span = _RANGE.match(body)
    if span is not None and not _CHOSEN & set(body):
        return _range(text, Entry(found[1], optional), span)
    choices = tuple(_scalar(text, one.strip()) for one in _parts(text, body))
    if len(choices) > MOST_CHOICES:
        raise bad(text, f"more than {MOST_CHOICES} choices")
    if len({(type(one), one) for one in choices}) < len(choices):
        raise bad(text, "a choice stands twice")
    return Entry(found[1], optional, choices)


def _parts(text: str, body: str) -> list[str]:
    """Split at bars outside of quotes."""
    parts: list[str] = []
    end = -1
    while end < len(body):
        found = _CHOICE.match(body, end + 1)
        if found is None or body[found.end() :][:1] not in ("", "|"):
            raise bad(text, f"'{body}' cannot be divided at |")
        parts.append(found[0])
        end = found.end()
    return parts


def _range(text: str, entry: Entry, span: re.Match[str]) -> Entry:
    low, high = _number(text, span[1]), _number(text, span[2])
    log = span[3] == "log"
    step = _number(text, span[4]) if span[4] else None
    if low >= high:
        raise bad(text, f"{low:g} is not below {high:g}")
    if log and low <= 0:
        raise bad(text, "a range by orders of magnitude must begin above 0", "leave :log out")
    if step is not None:
        steps = (high - low) / step if step > 0 else 0
        if not 1 <= steps < math.inf or abs(steps - round(steps)) > 1e-9 * steps:
            raise bad(text, f"steps of {step:g} do not lead from {low:g} to {high:g}")
    return Entry(entry.name, entry.optional, (), low, high, log, step)


def _number(text: str, part: str) -> float:
    value = _scalar(text, part.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad(text, f"'{part.strip()}' is no number")
    return value


def _scalar(text: str, part: str) -> Scalar:
    """Read a value as selections do; ``1e-4`` and ``true`` mean the same everywhere."""
    try:
        if not part:
            raise bad(text, "a value is empty")
        return parse_single(f"choice[value={part}]").values["value"]
    except (HarnessError, KeyError) as error:
        raise bad(text, f"'{part}' is no value") from error


def _write(value: Scalar) -> str:
    if isinstance(value, str) and ".." in value:
        return json.dumps(value)  # as a path may be; bare and alone it would be a range
    return str(Selection("choice", {"value": value}))[len("choice[value=") : -1]
