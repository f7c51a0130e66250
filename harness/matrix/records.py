"""Small JSON records of a store, as they must be: timed blocks, reference figures, failures."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from harness.gates.tables import MOST_PAIRS

_Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Failure(BaseModel):
    """Why an attempt at a trial gave no result.

    Attributes:
        kind: ``error``, ``damaged``, ``killed`` or ``timeout``.
        detail: one line for the user.
        log: the end of what the process printed.
        attempts: that ended without a result so far, this one among them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    detail: str
    log: str = ""
    attempts: int = Field(1, ge=1)


class VisitRecord(BaseModel):
    """Times of one visit of an arm; seconds, bytes."""

    model_config = ConfigDict(extra="forbid")

    epochs: Annotated[
        list[Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]],
        Field(min_length=1, max_length=1000),
    ]
    cpu: _Seconds
    setup: Annotated[list[_Seconds], Field(max_length=2000)]
    finish: Annotated[list[_Seconds], Field(max_length=2000)]
    peak_bytes: Annotated[int, Field(gt=0, lt=1 << 63)]


_Visits = Annotated[list[VisitRecord], Field(min_length=2, max_length=2)]


class BlockRecord(BaseModel):
    """One timed block: two visits of each arm, and the order in which they were made."""

    model_config = ConfigDict(extra="forbid")

    order: Annotated[list[Literal["baseline", "candidate"]], Field(max_length=4)] = []
    baseline: _Visits
    candidate: _Visits


class FigureRecord(BaseModel):
    """What ``harness.graphs.reference.References`` says of one split."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    always_vulnerable: _Share
    regression: _Share
    tokens: bool = False
    threshold: float = 0.5
    strength: float = 1.0
    converged: bool = True
    iterations: Annotated[int, Field(ge=0, lt=1 << 63)] = 0


RECORDS: Final[dict[str, TypeAdapter[Any]]] = {
    "blocks": TypeAdapter(Annotated[list[BlockRecord], Field(max_length=MOST_PAIRS)]),
    "references": TypeAdapter(FigureRecord),
    "failures": TypeAdapter(Failure),
}
"""What a file of each of these folders holds."""


def checked(part: str, value: Any) -> Any:
    """A record as it was stored, its numbers of the type that they must have.

    Raises:
        ValidationError: if it is no such record.
    """
    kind = RECORDS[part]
    return kind.dump_python(kind.validate_python(value), mode="json", exclude_unset=True)
