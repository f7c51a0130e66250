"""An executor whose trials are Ray tasks, each on a node of its kind of hardware."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import ray
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

from harness.cluster.alone import NodeAlone
from harness.cluster.needs import options_of
from harness.cluster.node import run_trial
from harness.cluster.orders import Parcel, TrialOrder
from harness.errors import StoreError
from harness.matrix.executor import Outcome
from harness.matrix.records import Failure
from harness.sharing.bundle import pack_work, unpack
from harness.sharing.exchange import checked_trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from harness.cluster.connect import Cluster
    from harness.cluster.orders import News
    from harness.matrix.blocks import TimingSettings
    from harness.matrix.executor import Blocks, Status
    from harness.matrix.received import Truth
    from harness.matrix.spec import TrialSpec
    from harness.matrix.store import Store

_TOLD: Final = 300
NO_NODE: Final = 600.0
"""Seconds after which a trial that no living node could take has failed."""


@dataclass
class _Running:
    spec: TrialSpec
    data: Path
    asked: float
    task: Any = None
    began: float | None = None


@dataclass(frozen=True)
class Limits:
    """How long trials may take, and how many run.

    Attributes:
        timeout: seconds after which a trial is killed, or a timed visit given up.
        jobs: trials at once; 0 for as many as the cluster takes.
        no_node: seconds after which a trial that no node could take has failed.
    """

    timeout: float
    jobs: int = 0
    no_node: float = NO_NODE


class RayExecutor:
    """Runs trials on a cluster; a node that goes away costs what it trained since a checkpoint.

    Args:
        cluster: that is connected.
        store: where results go; no node writes to it.
        truth: what the data say of a trial's gate part.
        limits: of time and number.
        plugins: Python files that every trial imports first, by name.
        tell: told what a user should know, one sentence each.
        train: what runs on a node.
    """

    def __init__(
        self, cluster: Cluster, store: Store, truth: Callable[[TrialSpec], Truth], limits: Limits,
        plugins: Mapping[str, bytes], tell: Callable[[str], None],
        train: Callable[..., Any] = run_trial,
    ) -> None:  # fmt: skip
        self._cluster, self._store, self._truth = cluster, store, truth
        self._limits, self._plugins = limits, tuple(sorted(plugins.items()))
        self._tell = tell
        self._train = ray.remote(train)
        self._running: dict[str, _Running] = {}
        self._parcels: dict[str, Parcel] = {}
        self._told: set[str] = set()

    # What the campaign asks ----------------------------------------------------------------

    @property
    def free(self) -> int:
        """Trials that can be started now, of whatever kind."""
        return max(0, self._cluster.capacity(self._limits.jobs) - len(self._running))

    @property
    def running(self) -> frozenset[str]:
        """Keys of the trials under way, those that wait for a node among them."""
        return frozenset(self._running)

    @property
    def elsewhere(self) -> frozenset[str]:
        """None: the cluster is this campaign's own."""
        return frozenset()

    def start(self, spec: TrialSpec, data: Path) -> bool:
        """Start a trial, unless all nodes of its kind are taken.

        One of a kind that no living node has is taken too, so that an autoscaler sees what is
        wanted; it waits.
        """
        of_kind = sum(one.spec.hardware == spec.hardware for one in self._running.values())
        nodes = self._cluster.nodes()
        slots = sum(node.slots(spec.hardware, spec.threads) for node in nodes)
        if of_kind >= max(slots, 1):
            return False
        self._running[spec.key] = _Running(spec, data, time.monotonic())
        self._submit(self._running[spec.key])
        return True

    def wait(self, seconds: float = 0.5) -> list[Outcome]:
        """Wait at most so long for trials to end; returns those that did.

        Raises:
            OSError: if the disk is full.
        """
        for one in self._running.values():
            if one.task is None:
                self._submit(one)
        tasks = {one.task: one for one in self._running.values() if one.task is not None}
        if tasks:
            ray.wait(list(tasks), num_returns=1, timeout=seconds, fetch_local=False)
            ready, _ = ray.wait(list(tasks), num_returns=len(tasks), timeout=0, fetch_local=False)
        else:
            ready = []
            time.sleep(seconds)
        self._cluster.let_through()
        outcomes = [self._hear(tasks[task]) for task in ready]
        outcomes += [self._give_up_waiting(one) for one in list(self._running.values())]
        return [outcome for outcome in outcomes if outcome is not None]

    def cancel(self, key: str) -> Outcome:
        """End a trial under way that nobody wants any more."""
        one = self._running.pop(key)
        self._kill(one)
        return Outcome(key, "cancelled", self._spent(one))

    def timed(
        self, baseline: TrialSpec, candidate: TrialSpec, data: Path, settings: TimingSettings
    ) -> AbstractContextManager[Blocks]:
        """Hold a node of the trials' kind alone, with both arms loaded on it."""
        parcel = self._parcel(baseline, data)
        return NodeAlone(
            self._cluster, baseline, candidate, parcel, settings, self._limits.timeout,
            self._limits.no_node,
        )  # fmt: skip

    def stop(self) -> None:
        """End what is under way; finished trials stay, and checkpoints let the others go on."""
        for one in self._running.values():
            self._kill(one)
        self._running.clear()

    # Tasks ---------------------------------------------------------------------------------

    def _submit(self, one: _Running) -> None:
        options = options_of(one.spec.hardware, one.spec.threads, self._cluster.nodes())
        if options is None:
            return
        saved = pack_work(self._store.work(one.spec.key))
        order = TrialOrder(
            spec=one.spec.model_dump_json(),
            parcel=self._parcel(one.spec, one.data),
            timeout=self._limits.timeout,
            checkpoint=None if saved is None else ray.put(saved),
        )
        task = self._train.options(num_returns="streaming", max_retries=0, **options)
        one.task = task.remote(order)

    def _parcel(self, spec: TrialSpec, data: Path) -> Parcel:
        """The data set, put into the cluster's object store once."""
        if spec.data not in self._parcels:
            files = sorted(path for path in data.iterdir() if path.is_file())
            blobs = tuple((path.name, ray.put(path.read_bytes())) for path in files)
            self._parcels[spec.data] = Parcel(spec.data, str(data), blobs, self._plugins)
        return self._parcels[spec.data]

    def _kill(self, one: _Running) -> None:
        if one.task is not None:
            ray.cancel(one.task, force=True)

    def _spent(self, one: _Running) -> float:
        return 0.0 if one.began is None else time.monotonic() - one.began

    # What they tell ------------------------------------------------------------------------

    def _hear(self, one: _Running) -> Outcome | None:
        """Take in the next news of a trial; its outcome, if they are the last."""
        key = one.spec.key
        try:
            news: News = ray.get(next(one.task))
        except (RayTaskError, OutOfMemoryError, StopIteration) as error:
            # The trial's own process tells of its end; this is about the task around it.
            status: Status = "killed" if isinstance(error, OutOfMemoryError) else "error"
            told = " ".join(str(error).split())[-_TOLD:] or "it ended without a word"
            detail = f"the task on the node failed: {told}"
            self._store.fail(key, Failure(kind=status, detail=detail))
            return self._end(one, status)
        except RayError:  # the node, or what Ray runs on it, is gone
            return self._end(one, "lost")
        if news.status == "running":
            if one.began is None:
                one.began = time.monotonic()
            if news.content:
                unpack(news.content, self._store.work(key), f"the checkpoint of {key}")
            return None
        if news.status == "finished":
            return self._end(one, self._take_over(one.spec, news.content))
        self._store.fail(key, Failure.model_validate_json(news.failure))
        if news.status == "damaged":  # the node was sent the one that lies here
            shutil.rmtree(self._store.work(key), ignore_errors=True)
        return self._end(one, news.status)

    def _take_over(self, spec: TrialSpec, content: bytes) -> Status:
        try:
            files = checked_trial(spec, self._truth, content, f"trial {spec.key} from its node")
        except StoreError as error:
            self._store.fail(spec.key, Failure(kind="error", detail=str(error)))
            return "error"
        self._store.receive(spec.key, files)
        return "finished"

    def _end(self, one: _Running, status: Status) -> Outcome:
        del self._running[one.spec.key]
        return Outcome(one.spec.key, status, self._spent(one))

    def _give_up_waiting(self, one: _Running) -> Outcome | None:
        """The outcome of a trial that no node has taken for too long."""
        kind = one.spec.hardware
        if one.spec.key not in self._running or one.began is not None:
            return None
        if any(node.slots(kind, one.spec.threads) for node in self._cluster.nodes()):
            one.asked = time.monotonic()  # from when the last of them was there
            return None
        if kind not in self._told:
            self._told.add(kind)
            self._tell(f"no node of the cluster is {kind}: its trials wait for one")
        if time.monotonic() - one.asked < self._limits.no_node:
            return None
        self._kill(one)
        detail = f"no node of the cluster was {kind} for {self._limits.no_node:.0f} s"
        self._store.fail(one.spec.key, Failure(kind="error", detail=detail))
        return self._end(one, "error")
