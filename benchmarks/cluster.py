"""A simulated cluster: the campaign's own scheduling on GPUs that fail, in simulated time.

How long trials take is drawn, and what they find, with an effect for each feature. All else is the
code that real campaigns run: ``matrix.campaign`` and ``matrix.judge``.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.gates.collapse import Outcome as Run
from harness.gates.f1 import Pair, Predictions
from harness.hashing import content_key
from harness.matrix.executor import Outcome
from harness.matrix.results import Results

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from harness.matrix.blocks import TimingSettings
    from harness.matrix.executor import Blocks
    from harness.matrix.spec import TrialSpec

GRAPHS: Final = 400
"""Of a gate part; small, so that judging 100,000 trials takes minutes."""

VULNERABLE, RECALL, FALSE_ALARMS, NOISE = 0.3, 0.6, 0.2, 0.1
"""Shares of graphs: that are vulnerable, are found, are called so falsely, and differ by run."""

HOUR: Final = 3600.0
LOOK: Final = 60.0
"""Simulated seconds within which trials that end are told of together."""


@dataclass(frozen=True)
class Cluster:
    """What is simulated.

    Attributes:
        gpus: how many there are.
        failures: of one GPU in an hour, on average.
        repair: seconds until a failed one is back.
        trial: seconds of a trial, on average.
        spread: standard deviation of their logarithm.
    """

    gpus: int = 1000
    failures: float = 0.05
    repair: float = 600.0
    trial: float = 1800.0
    spread: float = 0.3


def _identity(spec: TrialSpec) -> tuple[object, ...]:
    """What tells trials apart; their keys change with the engine, and these draws should not."""
    return spec.data_name, spec.model, spec.arm, spec.seed


def rng_of(*parts: object) -> np.random.Generator:
    """A generator that is a function of names."""
    return np.random.default_rng(int(content_key([str(part) for part in parts], 16), 16))


class DrawnResults(Results):
    """Results that are drawn instead of trained: a baseline's and an effect for each feature.

    Args:
        specs: all trials by key.
        effects: share of the positives that a feature finds more, by selection.
    """

    def __init__(self, specs: Mapping[str, TrialSpec], effects: Mapping[str, float]) -> None:
        self._specs, self._effects = specs, effects
        self._finished: set[str] = set()
        self._drawn: dict[str, Predictions] = {}
        self._made: dict[tuple[str, str], Pair] = {}
        self._evidence = {}
        self.folders = {}

    def finish(self, key: str) -> None:
        """Let a trial be finished."""
        self._finished.add(key)

    def has(self, key: str) -> bool:
        """Whether a trial is finished."""
        return key in self._finished

    def outcome(self, key: str) -> Run:
        """How a finished trial ended: never by a collapse."""
        return Run(self._specs[key].seed, None, self.predictions(key).f1)

    def predictions(self, key: str) -> Predictions:
        """What a finished trial predicted."""
        if key not in self._drawn:
            spec = self._specs[key]
            label = rng_of("label", spec.data, spec.seed).random(GRAPHS) < VULNERABLE
            shared = rng_of("split", spec.data, spec.model, spec.seed).random(GRAPHS)
            own = rng_of("run", *_identity(spec)).random(GRAPHS)
            gain = sum(self._effects.get(name, 0.0) for name in spec.arm)
            # Runs of a pair agree but for a share of graphs, which each draws for itself.
            draw = np.where(own < NOISE, own / NOISE, shared)
            found = draw < np.where(label, RECALL + gain, FALSE_ALARMS)
            self._drawn[key] = Predictions(
                np.arange(GRAPHS), label.astype(np.uint8), found.astype(np.uint8), np.arange(GRAPHS)
            )
        return self._drawn[key]

    def pair(self, baseline: str, candidate: str) -> Pair:
        """Two finished trials of one seed."""
        keys = baseline, candidate
        if keys not in self._made:
            seed = self._specs[baseline].seed
            self._made[keys] = Pair(seed, self.predictions(baseline), self.predictions(candidate))
        return self._made[keys]


@dataclass
class SimulatedExecutor:
    """GPUs that take trials, end them, and fail; time is what the next event says.

    Attributes:
        cluster: what is simulated.
        results: told of what is finished.
        seed: of durations and failures.
        now: simulated seconds.
        lost: trials that failed with their GPU.
        lost_seconds: of GPUs in them.
        cancelled: trials that nobody needed any more.
        cancelled_seconds: of GPUs in them.
    """

    cluster: Cluster
    results: DrawnResults
    seed: int = 0
    now: float = 0.0
    lost: int = 0
    lost_seconds: float = 0.0
    cancelled: int = 0
    cancelled_seconds: float = 0.0
    elsewhere: frozenset[str] = frozenset()
    _free: int = field(default=-1)
    _started: dict[str, float] = field(default_factory=dict)
    _attempts: dict[str, int] = field(default_factory=dict)
    _events: list[tuple[float, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._free = self.cluster.gpus

    @property
    def free(self) -> int:
        """GPUs that wait."""
        return self._free

    @property
    def running(self) -> frozenset[str]:
        """Trials on GPUs."""
        return frozenset(self._started)

    def seconds_of(self, spec: TrialSpec) -> float:
        """How long a trial takes."""
        draw = rng_of("seconds", self.seed, *_identity(spec)).standard_normal()
        return float(self.cluster.trial * np.exp(self.cluster.spread * draw))

    def start(self, spec: TrialSpec, data: Path) -> bool:
        """Put a trial on a GPU, which may fail before it ends."""
        del data
        key = spec.key
        attempt = self._attempts[key] = self._attempts.get(key, 0) + 1
        takes = self.seconds_of(spec)
        rate = self.cluster.failures / HOUR
        fails = (
            rng_of("fails", self.seed, *_identity(spec), attempt).exponential(1 / rate)
            if rate
            else np.inf
        )
        self._free -= 1
        self._started[key] = self.now
        kind = "finished" if takes <= fails else "lost"
        heapq.heappush(self._events, (self.now + min(takes, fails), kind, key))
        return True

    def wait(self, seconds: float = LOOK) -> list[Outcome]:
        """Go on to the next event, and take in all that follow within a minute."""
        outcomes: list[Outcome] = []
        until = np.inf
        while self._events and self._events[0][0] <= until:
            at, kind, key = heapq.heappop(self._events)
            if kind == "repaired":
                self.now = max(self.now, at)
                self._free += 1
                continue
            if key not in self._started:
                continue  # it was cancelled
            self.now = max(self.now, at)
            until = min(until, self.now + max(seconds, LOOK))
            outcomes.append(self._end(at, kind, key))
        return outcomes

    def _end(self, at: float, kind: str, key: str) -> Outcome:
        spent = at - self._started.pop(key)
        if kind == "lost":
            self.lost += 1
            self.lost_seconds += spent
            heapq.heappush(self._events, (at + self.cluster.repair, "repaired", ""))
            return Outcome(key, "lost", spent)
        self._free += 1
        self.results.finish(key)
        return Outcome(key, "finished", spent)

    def cancel(self, key: str) -> Outcome:
        """Take a trial off its GPU."""
        spent = self.now - self._started.pop(key)
        self._free += 1
        self.cancelled += 1
        self.cancelled_seconds += spent
        return Outcome(key, "cancelled", spent)

    def timed(
        self, baseline: TrialSpec, candidate: TrialSpec, data: Path, settings: TimingSettings
    ) -> AbstractContextManager[Blocks]:
        """Nothing is timed in a simulation."""
        raise NotImplementedError

    def stop(self) -> None:
        """Nothing is under way that would not end by itself."""
