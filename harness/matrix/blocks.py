"""Timed blocks as they are stored, and what the gates read of them."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from harness.gates.time import Block, Cost, Visit

if TYPE_CHECKING:
    import random


class TimingSettings(BaseModel):
    """How long a visit is, and how many blocks there are at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    warmup_epochs: int = Field(1, ge=0, le=100, description="epochs discarded after each switch")
    epochs: int = Field(3, ge=1, le=1000, description="epochs of a visit that count")
    blocks: int = Field(20, ge=3, le=20, description="most blocks of a cell")


def drawn_order(draw: random.Random) -> list[str]:
    """Arms of a block's four visits: A B B A or B A A B."""
    outer, inner = "baseline", "candidate"
    if draw.random() < 0.5:  # noqa: PLR2004 - a fair coin
        outer, inner = inner, outer
    return [outer, inner, inner, outer]


def to_block(stored: dict[str, Any]) -> Block:
    """The gate's view of a stored block."""
    a1, a2 = map(_visit_of, stored["baseline"])
    b1, b2 = map(_visit_of, stored["candidate"])
    return Block(a1=a1, b1=b1, b2=b2, a2=a2)


def _visit_of(times: dict[str, Any]) -> Visit:
    epochs = times["epochs"]
    cpu = times["cpu"] or None
    return Visit(median=statistics.median(epochs), mean=statistics.fmean(epochs), cpu=cpu)


def one_off_cost(blocks: list[dict[str, Any]]) -> Cost:
    """Seconds that each arm costs outside of its epochs: median set-up plus median finish."""

    def of(arm: str) -> float:
        total = 0.0
        for part in ("setup", "finish"):
            seen = [seconds for block in blocks for visit in block[arm] for seconds in visit[part]]
            # The first fit of a process also warms caches up, which is no cost of the arm.
            total += statistics.median(seen[1:] or seen) if seen else 0.0
        return total

    return Cost(baseline=of("baseline"), candidate=of("candidate"))


def memory_ratios(blocks: list[dict[str, Any]]) -> list[float]:
    """Log of peak memory, candidate over baseline, after each block."""

    def peak(block: dict[str, Any], arm: str) -> float:
        return max(float(visit["peak_bytes"]) for visit in block[arm])

    return [math.log(peak(block, "candidate") / peak(block, "baseline")) for block in blocks]
