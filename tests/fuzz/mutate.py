"""Sound bytes made hostile: damage that any format can have, and damage by the format's own rules.

Everything is drawn from the generator that is given, so that a seed gives the same bytes again.
"""

from __future__ import annotations

import io
import json
import lzma
import re
import struct
import sys
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    Mutator = Callable[[Random, bytes, Sequence[bytes]], bytes]

MOST = 1 << 20
"""Bytes of a mutated input at most."""

_TWICE = 0.2
"""Of the changed archives, those whose own bytes are damaged as well."""

_DEEP = "\ue000"
"""Stands for lists or objects in each other, which ``json.dumps`` could not write."""

_TOKENS = (
    b"", b"NaN", b"Infinity", b"-Infinity", b"nan", b"1e999", b"-1", b"0", b"1e308", b"-0.0",
    b"9" * 5000, b"18446744073709551616", b"2147483648", b"9223372036854775807", b"1000000000",
    b"null", b"true", b"[]", b"{}", b'""', b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\x80", b"\0",
    b'"\\ud800"', b"../../x", b"/etc/passwd", b"'", b'"', b"[", b"]", b"{", b"}", b"<", b">",
    b"=", b",", b":", b"\n", b"\r", b"\x85", b"\xe2\x80\xa8", b"+", b"#", b"\\", b"e", b".",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 2**31, 2**63, 2**64, 10**9, 10**400, -(2**63), 0.5, -0.0,
    1e308, float("nan"), float("inf"), "", "x", "0", "nan", "\ud800", "\0", "../../x",
    "/etc/passwd", "x" * 70_000, [], {}, [[]], [None], {"": None}, [0] * 3000, "a[b=1]+c", "2" * 64,
    _DEEP,
)  # fmt: skip
_OPENERS = (b"[", b'{"a":', b"(", b"{", b"<", b"a<b(", b"-", b"not ", b"a.", b"[[", b"if x:\n ")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, LookupError, ValueError,
    OSError, RuntimeError, NotImplementedError, OverflowError, MemoryError,
)  # fmt: skip
"""What a damaged archive that is damaged further can raise."""


def mutate_bytes(random: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Damage bytes without a thought of what they mean, one to four times."""
    for _ in range(random.choice((1, 1, 2, 4))):
        content = random.choice(_DAMAGE)(random, content, others)[:MOST]
    return content


def _flip(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    changed = bytearray(content or b"\0")
    for _ in range(random.choice((1, 1, 3, 16))):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _cut(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _take_out(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(random, content)
    return content[:start] + content[end:]


def _repeat(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(random, content)
    return content[:end] + content[start:end] * random.choice((1, 2, 50)) + content[end:]


def _splice(random: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    other = random.choice(others) if others else content
    start, end = _span(random, other)
    here = random.randrange(len(content) + 1)
    return content[:here] + other[start:end] + content[random.choice((here, end)) :]


def _insert(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    here = random.randrange(len(content) + 1)
    return content[:here] + random.choice(_TOKENS) + content[here:]


def _another_number(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    found = list(_NUMBER.finditer(content))
    if not found:
        return content
    start, end = random.choice(found).span()
    return content[:start] + random.choice(_TOKENS) + content[end:]


def _nest(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    here = random.randrange(len(content) + 1)
    deep = random.choice((3, 300, 30_000, _nearly_too_deep(random)))
    return content[:here] + random.choice(_OPENERS) * deep + content[here:]


def _nearly_too_deep(random: Random) -> int:
    """A depth that Python's parsers may just bear, and what goes over their values may not."""
    return sys.getrecursionlimit() - random.randrange(100)


def _span(random: Random, content: bytes) -> tuple[int, int]:
    start = random.randrange(len(content) + 1)
    return start, min(len(content), start + random.choice((1, 4, 30, 300)))


_DAMAGE = (_flip, _flip, _cut, _take_out, _repeat, _splice, _insert, _another_number, _nest)


def mutate_json(random: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change a JSON value by its structure; now and then, or where it is none, its bytes."""
    if random.random() < 0.2:
        return mutate_bytes(random, content, others)
    try:
        value = json.loads(content)
        for _ in range(random.choice((1, 1, 2, 5))):
            value = _changed(random, value)
        return _written(random, value).encode("utf-8", "surrogatepass")[:MOST]
    except (ValueError, RecursionError):
        return mutate_bytes(random, content, others)


def mutate_lines(random: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change one line of JSONL by its structure, or the lines' order and number."""
    lines = content.split(b"\n")
    place = random.randrange(len(lines))
    draw = random.random()
    if draw < 0.7:
        # A file of broken lines says nothing of what stands beside them: most stay sound.
        lines[place] = mutate_json(random, lines[place], others)
    elif draw < 0.8:
        lines.insert(place, random.choice(lines))
    elif draw < 0.9:
        random.shuffle(lines)
    else:
        return mutate_bytes(random, content, others)
    return b"\n".join(lines)[:MOST]


def _changed(random: Random, value: Any) -> Any:
    """A JSON value with one place of it changed."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        return _changed_object(random, dict(value))
    if isinstance(value, list) and value and random.random() < 0.85:
        return _changed_list(random, list(value))
    if isinstance(value, int | float) and random.random() < 0.3:
        return random.choice((value + 1, -value, value * 10**9, str(value), [value]))
    return random.choice(_VALUES)


def _changed_object(random: Random, value: dict[str, Any]) -> dict[str, Any]:
    key = random.choice(list(value))
    draw = random.random()
    if draw < 0.1:
        del value[key]
    elif draw < 0.2:
        value[random.choice(("", "x", "../x", key + "x", "\0", "a" * 64))] = value[key]
    elif draw < 0.3:
        value[key] = value[random.choice(list(value))]
    else:
        value[key] = _changed(random, value[key])
    return value


def _changed_list(random: Random, value: list[Any]) -> list[Any]:
    place = random.randrange(len(value))
    draw = random.random()
    if draw < 0.1:
        del value[place]
    elif draw < 0.2:
        value.insert(place, random.choice(value))
    elif draw < 0.3:
        value[place] = random.choice(value)
    else:
        value[place] = _changed(random, value[place])
    return value


def _written(random: Random, value: Any) -> str:
    """JSON text; now and then with a key that stands twice."""
    text = json.dumps(value, ensure_ascii=random.random() < 0.5)
    keys = [match.start() for match in re.finditer(r'"\w+": ', text)]
    if keys and random.random() < 0.1:
        here = random.choice(keys)
        text = (
            text[:here]
            + random.choice(('"a": 1, ', text[here:].split(":")[0] + ": 1, "))
            + text[here:]
        )
    opens, closes = random.choice(("[]", ('{"a":', "}")))
    deep = _nearly_too_deep(random)
    return re.sub(rf'"(\\ue000|{_DEEP})"', f"{opens * deep}0{closes * deep}", text)


def mutate_zip(random: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change what a zip archive holds, with checksums that fit; now and then its bytes."""
    if random.random() < 0.3:
        return mutate_bytes(random, content, others)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = [one for one in archive.infolist() if one.file_size <= MOST]
            members = {one.filename: archive.read(one) for one in found}
    except _UNREADABLE:
        return mutate_bytes(random, content, others)
    if not members:
        return content
    name = random.choice(list(members))
    draw = random.random()
    if draw < 0.1:
        del members[name]
    elif draw < 0.2:
        members[random.choice(("../x.c", "/x.c", "x_1.c", f"{name}/x", "\udc80"[:0] + "é.c"))] = (
            members[name]
        )
    elif draw < 0.25:
        members[name] = b"\0" * (64 << 20)
    else:
        members[name] = mutate_bytes(random, members[name], list(members.values()))
    packed = random.choice(
        (zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)
    )
    if any(len(member) > MOST for member in members.values()):
        packed = zipfile.ZIP_DEFLATED
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packed) as archive:
        for member, inside in members.items():
            archive.writestr(member, inside)
    whole = buffer.getvalue()
    # What a decoder is told stands in the archive as well.
    return mutate_bytes(random, whole, others) if random.random() < _TWICE else whole


def mutate_npy(random: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change the header of a ``.npy`` file as text of the same length, or its bytes."""
    if random.random() < 0.4:
        return mutate_bytes(random, content, others)
    head = bytearray(content[:128])
    for _ in range(random.choice((1, 2, 5))):
        token = random.choice(
            (b"9" * 12, b"(10000000000,)", b"|O", b"<f8", b"True", b"(", b",", b"-", b"<U9")
        )
        here = random.randrange(10, max(11, len(head) - len(token)))
        head[here : here + len(token)] = token
    return bytes(head) + content[128:]
