"""Finished trials of a store, as the gates read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.gates.collapse import Outcome
from harness.gates.f1 import Predictions
from harness.graphs.dataset import PackedGraphs, open_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.matrix.store import Store, TrialResult


class Results:
    """Finished trials of a store, read once each.

    Args:
        store: where they are.
        folders: of the packed data sets by content hash, for the groups of gate samples.
    """

    def __init__(self, store: Store, folders: Mapping[str, Path]) -> None:
        self._store, self.folders = store, folders
        self._graphs: dict[str, PackedGraphs] = {}
        self._read: dict[str, tuple[TrialResult, Predictions | None]] = {}

    def has(self, key: str) -> bool:
        """Whether a trial is finished."""
        return key in self._read or self._store.finished(key)

    def result(self, key: str) -> TrialResult:
        """What a finished trial found."""
        return self._get(key)[0]

    def outcome(self, key: str) -> Outcome:
        """How a finished trial ended."""
        result = self.result(key)
        rule = None if result.collapse is None else result.collapse.rule
        return Outcome(result.spec.seed, rule, result.f1)

    def predictions(self, key: str) -> Predictions | None:
        """What a finished trial predicted on *gate*."""
        return self._get(key)[1]

    def _get(self, key: str) -> tuple[TrialResult, Predictions | None]:
        if key not in self._read:
            result = self._store.result(key)
            gate = self._store.gate(result)
            predictions = None
            if gate is not None:
                group = self._data(result.spec.data).group[gate.index]
                predictions = Predictions(gate.index, gate.label, gate.predicted, group)
            self._read[key] = result, predictions
        return self._read[key]

    def _data(self, content: str) -> PackedGraphs:
        if content not in self._graphs:
            self._graphs[content] = open_folder(self.folders[content])
        return self._graphs[content]
