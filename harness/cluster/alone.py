"""A node alone: an actor that takes all that one node has, so that nothing runs beside a timing."""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import ray
from ray.exceptions import GetTimeoutError, RayError

from harness.cluster.needs import on_node
from harness.cluster.node import open_parcel
from harness.cluster.orders import TimingOrder
from harness.errors import HarnessError, NotMeasuredError
from harness.hardware import describe
from harness.matrix.blocks import TimingSettings
from harness.matrix.code_here import check_here
from harness.matrix.local import LocalExecutor
from harness.matrix.spec import TrialSpec
from harness.matrix.store import Store
from harness.registry import import_plugins

if TYPE_CHECKING:
    from harness.cluster.connect import Cluster
    from harness.cluster.needs import Node
    from harness.cluster.orders import Parcel
    from harness.matrix.executor import Blocks

LOST: Final = 3
"""Nodes that may go away while a cell is timed."""

_VISITS: Final = 4
_OPENING: Final = 600.0


class TimedNode:
    """What runs on the node: both arms of a cell, as on any machine alone."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self._blocks: Blocks | None = None

    def open(self, order: TimingOrder) -> str:
        """Load both arms; "", or why that is not possible."""
        baseline, candidate = (
            TrialSpec.model_validate_json(text) for text in (order.baseline, order.candidate)
        )
        try:
            scratch = Path(self._held.enter_context(tempfile.TemporaryDirectory()))
            data, plugins = open_parcel(order.parcel, scratch)
            executor = LocalExecutor(Store(scratch), 1, order.timeout, plugins)
            import_plugins(plugins)
            check_here(candidate, describe(candidate.device, candidate.threads))
            settings = TimingSettings.model_validate_json(order.settings)
            timed = executor.timed(baseline, candidate, data, settings)
            self._blocks = self._held.enter_context(timed)
        except (HarnessError, OSError) as error:
            return str(error)
        return ""

    def block(self, order: list[str]) -> tuple[str, str]:
        """One block as JSON and "", or "" and why there is none."""
        if self._blocks is None:
            return "", "was not opened"
        try:
            return json.dumps(self._blocks.block(order)), ""
        except NotMeasuredError as error:
            return "", error.what

    def close(self) -> None:
        """End both arms and remove what they left."""
        self._held.close()


class NodeAlone:
    """Both arms of a cell on a node alone; use it as a context.

    Args:
        cluster: that is connected.
        baseline: trial of the baseline arm.
        candidate: trial of the candidate arm.
        parcel: what they need.
        settings: of the visits.
        timeout: seconds after which a visit is given up.
        no_node: seconds to wait for a node of their kind.
    """

    def __init__(
        self, cluster: Cluster, baseline: TrialSpec, candidate: TrialSpec, parcel: Parcel,
        settings: TimingSettings, timeout: float, no_node: float,
    ) -> None:  # fmt: skip
        self._cluster, self._spec, self._no_node = cluster, baseline, no_node
        self._order = TimingOrder(
            baseline.model_dump_json(), candidate.model_dump_json(), parcel,
            settings.model_dump_json(), timeout,
        )  # fmt: skip
        self._actor: Any = None
        self._lost = 0

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        if self._actor is not None:
            with suppress(RayError):  # it is killed in any case
                ray.get(self._actor.close.remote(), timeout=30)
            ray.kill(self._actor)

    def block(self, order: list[str]) -> dict[str, Any]:
        """Time one block, on another node if this one goes away.

        Raises:
            NotMeasuredError: if an arm fails, or nodes go away again and again.
        """
        while True:
            try:
                limit = _VISITS * self._order.timeout + _OPENING
                block, problem = self._cluster.answer(self._actor.block.remote(order), limit)
            except RayError as error:
                self._open_again(error)
                continue
            if problem:
                raise NotMeasuredError(problem)
            found: dict[str, Any] = json.loads(block)
            return found

    def _open(self) -> None:
        while True:
            node = self._node()
            actor = ray.remote(TimedNode).options(
                num_cpus=node.cpus, num_gpus=node.gpus, label_selector=on_node(node.id),
                max_restarts=0,
            )  # fmt: skip
            self._actor = actor.remote()
            try:
                # Whoever else has tasks on the node is waited for.
                problem = self._cluster.answer(self._actor.open.remote(self._order))
            except RayError as error:
                self._count_lost(error)
                continue
            if problem:
                ray.kill(self._actor)
                raise NotMeasuredError(problem)
            return

    def _open_again(self, error: RayError) -> None:
        ray.kill(self._actor)
        if isinstance(error, GetTimeoutError):
            raise NotMeasuredError("the node did not answer while a block was timed") from error
        self._count_lost(error)
        self._open()

    def _count_lost(self, error: RayError) -> None:
        self._lost += 1
        if self._lost >= LOST:
            raise NotMeasuredError(f"{LOST} nodes went away while it was timed") from error

    def _node(self) -> Node:
        """A node of the kind, once there is one."""
        kind, start = self._spec.hardware, time.monotonic()
        while True:
            nodes = self._cluster.nodes()
            able = [node for node in nodes if node.slots(kind, self._spec.threads)]
            if able:
                return max(able, key=lambda node: node.cpus)
            if time.monotonic() - start > self._no_node:
                raise NotMeasuredError(
                    f"no node of the cluster was {kind} for {self._no_node:.0f} s"
                )
            time.sleep(1.0)
