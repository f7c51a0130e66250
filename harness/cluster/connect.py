"""The cluster as the driver sees it: connected once, looked at now and then."""

from __future__ import annotations

import logging
import math
import os
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import ray
from ray.exceptions import GetTimeoutError, RayError

from harness.cluster.held import Held
from harness.cluster.needs import living, on_node
from harness.cluster.node import look_at
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.cluster.needs import Node

LOOK: Final = 5.0
"""Seconds between two looks at which nodes there are."""

_FIRST_LOOK: Final = 120.0
_STEP: Final = 0.5
_ANSWER: Final = 10.0
_PORTS: Final = 65535
_MEND: Final = "start one with: ray start --head; on other machines: ray start --address=HEAD:6379"


@contextmanager
def connected(address: str, threads: int) -> Iterator[Cluster]:
    """Connect to a running cluster for as long as the context lasts.

    Args:
        address: of its head, such as ``10.0.0.1:6379``; ``auto`` for the one of this machine.
        threads: of a trial.

    Raises:
        UsageError: if there is none.
    """
    _check_that_it_answers(address)
    # A trial's own messages come back with its failure; Ray's would break the table.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    held = Held()
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RayError, ValueError, RuntimeError, OSError) as error:
        told = " ".join(str(error).split())[:200]
        raise UsageError(
            f"no Ray cluster answers: {told}", where=f"--address {address}", mend=_MEND
        ) from error
    try:
        with held.holding() as let_through:
            yield Cluster(threads, let_through=let_through)
    finally:
        ray.shutdown()


def _check_that_it_answers(address: str) -> None:
    """Raise at once where Ray would try again for minutes."""
    if address == "auto":
        return
    where = f"--address {address}"
    host, _, port = address.rpartition(":")
    if "/" in host or not host or not port.isdecimal() or int(port) > _PORTS:
        raise UsageError(
            "is no address of a cluster's head",
            where=where,
            mend="give HOST:PORT as 'ray start --head' said it, on a node of the cluster",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER).close()
    except OSError as error:
        told = error.strerror or str(error)
        raise UsageError(f"no Ray cluster answers: {told}", where=where, mend=_MEND) from error


class Cluster:
    """Nodes that live, and the kinds of their CPUs.

    Args:
        threads: of a trial.
        clock: seconds that only go forward.
        let_through: lets signals through that were held back.
    """

    def __init__(
        self, threads: int, clock: Callable[[], float] = time.monotonic,
        let_through: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.threads = threads
        self._clock = clock
        self.let_through = let_through
        self._looked = -LOOK
        self._nodes: list[Node] = []
        self._cpus: dict[str, str] = {}
        self._asked: dict[str, ray.ObjectRef[str]] = {}

    def nodes(self) -> list[Node]:
        """Nodes that take tasks, as of a few seconds ago."""
        self.let_through()
        now = self._clock()
        if now - self._looked >= LOOK:
            self._looked = now
            self._nodes = self._look(0.0)
        return self._nodes

    def answer(self, task: ray.ObjectRef[Any], seconds: float = math.inf) -> Any:
        """What a task gives, as ``ray.get``, while signals are let through.

        Raises:
            GetTimeoutError: if it takes longer.
            RayError: if it fails.
        """
        end = self._clock() + seconds
        while True:
            ready, _ = ray.wait([task], timeout=_STEP)
            self.let_through()
            if ready:
                return ray.get(task)
            if self._clock() > end:
                raise GetTimeoutError(f"no answer in {seconds:.0f} s")

    def look_again(self) -> None:
        """Look at the nodes when they are asked for next, however soon."""
        self._looked = -LOOK

    def capacity(self, most: int = 0) -> int:
        """Trials that run at once, as far as nodes are known, and at least one.

        Args:
            most: of them; 0 for as many as there is room for.
        """
        room = 0
        for node in self.nodes():
            kinds = [kind for kind in (node.cpu, *node.gpu_kinds) if kind is not None]
            room += max((node.slots(kind, self.threads) for kind in kinds), default=0)
        return min(max(room, 1), most or max(room, 1))

    def kinds(self, device: str) -> list[str]:
        """Canonical names of the hardware that the cluster has for a torch device type.

        Raises:
            UsageError: if it has none.
        """
        nodes = self._look(_FIRST_LOOK if device == "cpu" else 0.0)
        found = {node.cpu for node in nodes if node.cpu is not None}
        if device != "cpu":
            found = {kind for node in nodes for kind in node.gpu_kinds}
        if not found:
            raise UsageError(
                f"the cluster has no node with {'a CPU' if device == 'cpu' else 'a GPU'} for tasks",
                where="--executor ray",
                mend="start nodes, or name what an autoscaler will start: --hardware t4,a100",
            )
        return sorted(found)

    def _look(self, seconds: float) -> list[Node]:
        """The nodes that live, after at most so long for answers of which CPUs they have."""
        there = _all_nodes()
        self._ask(living(there, {}))
        self._hear(seconds)
        return living(there, self._cpus)

    def _ask(self, nodes: list[Node]) -> None:
        """Ask nodes that are new for the kind of their CPU."""
        look = ray.remote(look_at)
        for node in nodes:
            if node.id not in self._cpus and node.id not in self._asked:
                task = look.options(num_cpus=0, max_retries=0, label_selector=on_node(node.id))
                self._asked[node.id] = task.remote(self.threads)

    def _hear(self, seconds: float) -> None:
        """Take in what they answer, waiting at most so long."""
        left, end = list(self._asked.values()), self._clock() + seconds
        while left and self._clock() < end:
            _, left = ray.wait(left, num_returns=len(left), timeout=_STEP)
            self.let_through()
        for node, answer in list(self._asked.items()):
            if not ray.wait([answer], timeout=0)[0]:
                continue
            del self._asked[node]
            try:
                self._cpus[node] = ray.get(answer)
            except RayError:  # the node is gone again, or not as it should be: asked once more
                continue


def _all_nodes() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return found
