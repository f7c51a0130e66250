"""What the runs of one arm of a cell have in common: curves, predictions, failure by size."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import DataError
from harness.report.slices import Predictions, Slice, by_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.matrix.judge import Judge
    from harness.matrix.planned import PlannedCell, PlannedFeature
    from harness.matrix.store import GateScores
    from harness.result import EpochRecord

BINS: Final = 20


@dataclass(frozen=True)
class Band:
    """One quantity over epochs: mean and extremes of the runs that came so far.

    Attributes:
        mean: ``[E]``; None where no run has a finite value.
        low: ``[E]`` smallest.
        high: ``[E]`` largest.
    """

    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]


@dataclass(frozen=True)
class Arm:
    """One arm of a cell.

    Attributes:
        name: what it is called.
        runs: that were read.
        f1: on *select*, at the threshold, by epoch.
        loss: of training, by epoch.
        safe: ``[BINS]`` share of the safe gate graphs by predicted probability, 0 to 1.
        vulnerable: ``[BINS]`` likewise of the vulnerable ones.
        sizes: fifths of the gate graphs by nodes, each with the rest.
        unread: histories that could not be read.
    """

    name: str
    runs: int
    f1: Band
    loss: Band
    safe: list[float]
    vulnerable: list[float]
    sizes: tuple[tuple[Slice, Slice], ...]
    unread: int = 0


class Arms:
    """Arms of a store, each gathered once: the cells of all features share their references.

    Args:
        judge: of the store.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._known: dict[tuple[str, ...], Arm] = {}

    def of(self, feature: PlannedFeature, cell: PlannedCell, pairs: int) -> tuple[Arm, ...]:
        """Every arm of a cell: the reference, the candidate, and the parts of a pair.

        Args:
            feature: whose cell it is.
            cell: one that was run.
            pairs: leading seeds that were judged.

        Raises:
            StoreError: if a stored result is damaged.
        """
        names = (
            feature.reference,
            f"with {feature.name}",
            *(f"with {one} alone" for one in feature.parts),
        )
        return tuple(
            self._arm(cell.data, name, keys[:pairs])
            for name, keys in zip(names, cell.arms, strict=False)
        )

    def _arm(self, data: str, name: str, keys: Sequence[str]) -> Arm:
        place = (data, name, *keys)
        if place not in self._known:
            finished = [key for key in keys if self._judge.results.has(key)]
            self._known[place] = _arm(self._judge, data, name, finished)
        return self._known[place]


def _arm(judge: Judge, data: str, name: str, keys: Sequence[str]) -> Arm:
    histories, unread = [], 0
    for key in keys:
        try:
            histories.append(judge.store.history(key))
        except DataError:
            unread += 1  # no gate reads histories, so no verdict hangs on one
    scores = [judge.store.gate(judge.results.result(key)) for key in keys]
    gates = [one for one in scores if one is not None]
    return Arm(
        name=name,
        runs=len(keys),
        f1=_band(histories, "f1"),
        loss=_band(histories, "train_loss"),
        safe=_shares(gates, 0),
        vulnerable=_shares(gates, 1),
        sizes=_sizes(gates, judge.results.graphs(data).num_nodes) if gates else (),
        unread=unread,
    )


def _band(histories: Sequence[Sequence[EpochRecord]], name: str) -> Band:
    band = Band([], [], [])
    for records in itertools.zip_longest(*histories):
        values = np.array([getattr(one, name) for one in records if one is not None], np.float64)
        known = values[np.isfinite(values)]
        figures = (known.mean(), known.min(), known.max()) if len(known) else (None,) * 3
        for series, value in zip((band.mean, band.low, band.high), figures, strict=True):
            series.append(None if value is None else float(value))
    return band


def _shares(gates: Sequence[GateScores], label: int) -> list[float]:
    count = np.zeros(BINS)
    for gate in gates:
        count += np.histogram(gate.probability[gate.label == label], BINS, (0, 1))[0]
    return [float(share) for share in count / max(count.sum(), 1)]


def _sizes(
    gates: Sequence[GateScores], nodes: NDArray[np.int64]
) -> tuple[tuple[Slice, Slice], ...]:
    return tuple(by_size(Predictions.of(gates), nodes))
