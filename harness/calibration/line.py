"""One line of a calibration: what was wanted beside what was obtained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.gates.words import Json


@dataclass(frozen=True)
class Line:
    """A known answer and the harness's own.

    Attributes:
        what: what was put to the harness.
        wanted: the answer that is right.
        obtained: the answer that came.
        kept: whether they agree.
    """

    what: str
    wanted: str
    obtained: str
    kept: bool

    def to_json(self) -> dict[str, Json]:
        """The line as JSON data."""
        return dict(vars(self))
