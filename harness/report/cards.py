"""Feature cards as Markdown: what each does, its fields with their ranges, claim and hooks."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from harness.feature import EVENTS, SLOTS, WRAPS
from harness.report.markdown import escape, table
from harness.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.fields import FieldInfo

    from harness.feature import Feature

FIELD_HEADERS: Final = ("field", "type", "default", "range", "what it is")

_HEAD = """# Features

Made from the features' own cards by `ablate features --markdown`: change the card, not this page.
A feature is named as `name` or `name[field=value,...]`, and several are joined by `+`."""
_WORDS: Final = {
    "ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}",
    "min_length": "at least {} letters", "max_length": "at most {} letters",
    "multiple_of": "a multiple of {}", "pattern": "matches {}",
}  # fmt: skip
_KINDS: Final = (("slots", SLOTS), ("wraps", WRAPS), ("events", EVENTS))
_HEADED = re.compile(r"(Why|When it hurts|Known limitations|Source):\s*")
_INLINE = re.compile(r"(``.+?``|(?<![\w*])\*\w[\w -]*\*(?![\w*]))")
_BLOCK = re.compile(r"[-+~]|\d+[.)]")


def to_cards(features: Iterable[tuple[str, type[Feature]]]) -> str:
    """The whole page; text of cards and fields is escaped, their code and emphasis are kept.

    Args:
        features: names with their classes, in the order of the page.
    """
    known = list(features)
    rows = [[name, kind.claim.value, _first_line(kind)] for name, kind in known]
    index = table(rows, ("feature", "claim", "what it does"))
    return "\n\n".join([_HEAD, index, *(card_of(name, kind) for name, kind in known)]) + "\n"


def card_of(name: str, feature: type[Feature], level: int = 2) -> str:
    """One feature's section, without a line end.

    Args:
        name: of the feature.
        feature: its class.
        level: of the heading.
    """
    return "\n\n".join(_parts(name, feature, level))


def bounds(info: FieldInfo) -> str:
    """The range of a field in words, such as ``at least 0, below 1``; "" where it has none."""
    found = [part for rule in info.metadata if (part := _bound(rule))]
    return ", ".join(found)


def _parts(name: str, feature: type[Feature], level: int) -> Iterator[str]:
    yield f"{'#' * level} {escape(name)}"
    for paragraph in re.split(r"\n\s*\n", feature.card()):
        if paragraph.strip():
            yield _paragraph(paragraph)
    yield f"**Claim:** {escape(feature.claim.value)}. **Hooks:** {_hooks(feature)}."
    rows = [_field(field, info) for field, info in feature.model_fields.items()]
    yield table(rows, FIELD_HEADERS) if rows else "It has no fields."


def _first_line(feature: type[Feature]) -> str:
    return feature.card().partition("\n")[0].replace("``", "")


def _paragraph(text: str) -> str:
    words = " ".join(text.split())
    headed = _HEADED.match(words)
    if headed is None:
        return marked(words)
    return f"**{headed[1]}:** {marked(words[headed.end() :])}"


def marked(text: str) -> str:
    """A card's line: its ``code`` and *emphasis* stay, all else loses its meaning for Markdown."""
    parts = _INLINE.split(text)
    marked = "".join(part if at % 2 else escape(part) for at, part in enumerate(parts))
    block = _BLOCK.match(marked)
    if block is None:
        return marked
    last = block.end() - 1
    return f"{marked[:last]}&#{ord(marked[last])};{marked[last + 1 :]}"


def _hooks(feature: type[Feature]) -> str:
    own = feature.hooks()
    found = [
        f"{kind} {', '.join(f'`{hook}`' for hook in names if hook in own)}"
        for kind, names in _KINDS
        if any(hook in own for hook in names)
    ]
    return "; ".join(found) or "none"


def _field(field: str, info: FieldInfo) -> list[str]:
    return [field, _type(info.annotation), _default(info), bounds(info), info.description or ""]


def _type(annotation: Any) -> str:
    if isinstance(annotation, type):
        if issubclass(annotation, Enum):
            return " or ".join(str(member.value) for member in annotation)
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _default(info: FieldInfo) -> str:
    """The default as a selection would give it."""
    value = info.get_default()
    plain = value.value if isinstance(value, Enum) else value
    return str(Selection("name", {"field": plain})).removeprefix("name[field=").removesuffix("]")


def _bound(rule: Any) -> str:
    given = {name: getattr(rule, name, None) for name in _WORDS}
    return ", ".join(
        _WORDS[name].format(f"{value:,}" if isinstance(value, int) else value)
        for name, value in given.items()
        if value is not None
    )
