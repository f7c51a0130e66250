"""Ratios of the arms' times, their medians and ends, as a table and as JSON.

The arms train by turns, an epoch with its evaluation each, after one epoch that is discarded; the
order of the arms rotates from repeat to repeat. A ratio is taken within a repeat, so that what
slows the machine for a while slows both of its sides.
"""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from tabulate import tabulate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.cells import Cell

SCHEMA = 1
ENGINE = "engine"


class Timed(Protocol):
    """An arm that trains when it is told to."""

    def begin(self, cell: Cell) -> object:
        """Build a cell and train the epoch that is discarded."""

    def epoch(self) -> float:
        """Train and evaluate an epoch; gives its CPU seconds."""


@dataclass(frozen=True)
class Spread:
    """The middle of some repeats and their ends."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Summarise at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


@dataclass(frozen=True)
class Row:
    """What was measured of one cell.

    Attributes:
        cell: model, width, precision.
        graphs: training graphs an epoch.
        cpu_seconds: of each repeat's epoch, by arm.
    """

    cell: Cell
    graphs: int
    cpu_seconds: Mapping[str, tuple[float, ...]]

    def throughput(self, arm: str) -> Spread:
        """Training graphs per CPU second of an epoch with its evaluation."""
        return Spread.of([self.graphs / seconds for seconds in self.cpu_seconds[arm]])

    def ratio(self, arm: str) -> Spread:
        """How many times as fast as ``arm`` the engine is, repeat by repeat."""
        pairs = zip(self.cpu_seconds[arm], self.cpu_seconds[ENGINE], strict=True)
        return Spread.of([other / engine for other, engine in pairs])


def measure(cell: Cell, arms: Mapping[str, Timed], repeats: int, graphs: int) -> Row:
    """Train a cell in every arm by turns."""
    for arm in arms.values():
        arm.begin(cell)
    names = list(arms)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(repeats):
        first = repeat % len(names)
        for name in names[first:] + names[:first]:
            seconds[name].append(arms[name].epoch())
    return Row(cell, graphs, {name: tuple(times) for name, times in seconds.items()})


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table: graphs a second by median, ratios with their ends."""
    rows = list(rows)
    arms = list(rows[0].cpu_seconds)
    others = [name for name in arms if name != ENGINE]
    headers = ["model", "H", "precision", *(f"{name}, graphs/s" for name in arms)]
    headers += [f"{ENGINE} / {name}" for name in others]
    lines = [
        [
            row.cell.model,
            row.cell.hidden,
            row.cell.precision.value,
            *(f"{row.throughput(name).median:.0f}" for name in arms),
            *(str(row.ratio(name)) for name in others),
        ]
        for row in rows
    ]
    return tabulate(lines, headers, tablefmt="github", disable_numparse=True)


def to_json(rows: Iterable[Row], about: Mapping[str, Any]) -> dict[str, Any]:
    """Every repeat, with what is needed to read and to repeat it."""
    return {
        "schema": SCHEMA,
        **about,
        "rows": [
            {
                **asdict(row.cell),
                "graphs": row.graphs,
                "cpu_seconds": {name: list(times) for name, times in row.cpu_seconds.items()},
                "graphs_per_cpu_second": {
                    name: asdict(row.throughput(name)) for name in row.cpu_seconds
                },
                "engine_times_as_fast": {
                    name: asdict(row.ratio(name)) for name in row.cpu_seconds if name != ENGINE
                },
            }
            for row in rows
        ],
    }
