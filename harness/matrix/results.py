"""Finished trials of a store, as the gates read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import StoreError
from harness.gates.collapse import Outcome
from harness.gates.f1 import Pair, Predictions
from harness.gates.f1_gate import Evidence, evidence
from harness.matrix.intact import open_intact

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.graphs.dataset import PackedGraphs
    from harness.matrix.store import GateScores, Store, TrialResult


class Results:
    """Finished trials of a store, read once each.

    Args:
        store: where they are.
        folders: of the packed data sets by content hash, for the groups of gate samples.
        finished: keys of the finished trials, where what comes later is none of the question; else
            the store is asked for each of them whenever it matters.
    """

    def __init__(
        self, store: Store, folders: Mapping[str, Path], finished: Collection[str] | None = None
    ) -> None:
        self._store, self.folders, self._finished = store, folders, finished
        self._graphs: dict[str, PackedGraphs] = {}
        self._read: dict[str, tuple[TrialResult, Predictions | None]] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._parts: dict[tuple[str, int], Predictions] = {}
        self._pairs: dict[tuple[str, str], Pair] = {}
        self._evidence: dict[tuple[Pair, ...], Evidence] = {}

    def has(self, key: str) -> bool:
        """Whether a trial is finished."""
        if self._finished is not None:
            return key in self._finished
        return key in self._read or self._store.finished(key)

    def result(self, key: str) -> TrialResult:
        """What a finished trial found."""
        return self._get(key)[0]

    def outcome(self, key: str) -> Outcome:
        """How a finished trial ended."""
        if key not in self._outcomes:
            result = self.result(key)
            rule = None if result.collapse is None else result.collapse.rule
            self._outcomes[key] = Outcome(result.spec.seed, rule, result.f1)
        return self._outcomes[key]

    def predictions(self, key: str) -> Predictions | None:
        """What a finished trial predicted on *gate*."""
        return self._get(key)[1]

    def pair(self, baseline: str, candidate: str) -> Pair | None:
        """Two finished trials of one seed; None if either gave no prediction."""
        keys = baseline, candidate
        if keys not in self._pairs:
            ours, theirs = map(self.predictions, keys)
            if ours is None or theirs is None:
                return None
            self._pairs[keys] = Pair(self.result(baseline).spec.seed, ours, theirs)
        return self._pairs[keys]

    def evidence(self, pairs: Sequence[Pair]) -> Evidence:
        """What the F1 gate reads of pairs that came from here, gathered once for each sequence.

        Rounds are replayed over and over, by each policy, and never change what was found.
        """
        these = tuple(pairs)
        if these not in self._evidence:
            self._evidence[these] = evidence(these)
        return self._evidence[these]

    def _get(self, key: str) -> tuple[TrialResult, Predictions | None]:
        if key not in self._read:
            result = self._store.result(key)
            gate = self._store.gate(result)
            predictions = None
            if gate is not None:
                group = self.graphs(result.spec.data).group
                if np.any(gate.index < 0) or np.any(gate.index >= len(group)):
                    raise StoreError(
                        f"the predictions of trial {key} name a graph that its data set lacks",
                        where=str(self._store.root),
                        mend="delete the trial's folder; it is run again when it is needed",
                    )
                predictions = self._predictions(result, gate, group)
            self._read[key] = result, predictions
        return self._read[key]

    def _predictions(
        self, result: TrialResult, gate: GateScores, group: NDArray[np.integer]
    ) -> Predictions:
        """A trial's predictions; trials of one seed were asked the same, and share it in memory."""
        part = result.spec.data, result.spec.seed
        first = self._parts.get(part)
        if first is not None and (
            np.array_equal(first.index, gate.index) and np.array_equal(first.label, gate.label)
        ):
            return first.again(gate.predicted)
        found = Predictions(gate.index, gate.label, gate.predicted, group[gate.index])
        return self._parts.setdefault(part, found) if first is None else found

    def graphs(self, content: str) -> PackedGraphs:
        """The data set of that content hash."""
        if content not in self._graphs:
            self._graphs[content] = open_intact(self.folders[content])
        return self._graphs[content]
