"""What is fuzzed: sound files, how to damage them, and the reader that must answer for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.graphs.code.c_process import MAX_WAIT
from tests.fuzz.mutate import mutate_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.fuzz.mutate import Mutator

MIB = 1 << 20
PARSING = int(4 * MAX_WAIT)
"""Seconds for readers of C: a hostile text may take the parser all that it is given."""


@dataclass(frozen=True)
class Prepared:
    """Sound input in a folder.

    Attributes:
        files: those that are damaged, with the way to damage each.
        read: reads the input, as its owner would; called again and again.
        end: ends what reading began, such as a parser's process.
    """

    files: Mapping[Path, Mutator]
    read: Callable[[], object]
    end: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Target:
    """A reader of what comes from outside.

    Attributes:
        name: for ``--target``.
        prepare: writes sound input into an empty folder.
        allowed: errors beside ``HarnessError`` that the reader's docstring names.
        names_place: whether every error must say where; False for what has no file.
        memory: bytes of address space that reading may take beside what the process has.
        seconds: of one reading at most, by the clock.
    """

    name: str
    prepare: Callable[[Path], Prepared]
    allowed: tuple[type[Exception], ...] = ()
    names_place: bool = True
    memory: int = 768 * MIB
    seconds: int = 30


def one_file(
    path: Path, content: bytes, read: Callable[[], Any], how: Mutator = mutate_bytes
) -> Prepared:
    """Input of a single file."""
    path.write_bytes(content)
    return Prepared({path: how}, read)
