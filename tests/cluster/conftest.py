from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ray = pytest.importorskip("ray", reason="the extra ray is not installed")

from ray.cluster_utils import Cluster as RayCluster  # noqa: E402

from harness.cluster.connect import connected  # noqa: E402
from harness.cluster.executor import Limits, RayExecutor  # noqa: E402
from harness.matrix.here import DataHere  # noqa: E402
from tests.cluster.as_declared import KIND  # noqa: E402
from tests.matrix.conftest import (  # noqa: E402, F401 - fixtures
    PLUGIN,
    _planted_features,
    make_judge,
    packed,
    write_trial,
)

AS_DECLARED = Path(__file__).parent / "as_declared.py"
_STORE = 80 << 20


@dataclass
class Nodes:
    """A real cluster of several nodes on this machine."""

    ray: RayCluster
    kept: list = field(default_factory=list)

    @property
    def address(self):
        return self.ray.address

    def add(self, kind=None):
        """A node of one CPU, with a GPU by its declaration where a kind of GPU is given."""
        gpu = {} if kind is None else {
            "num_gpus": 1, "resources": {f"accelerator_type:{kind.upper()}": 1},
        }  # fmt: skip
        variables = {} if kind is None else {KIND: kind}
        return self.ray.add_node(
            num_cpus=1, include_dashboard=False, object_store_memory=_STORE, env_vars=variables,
            **gpu,
        )  # fmt: skip

    @contextmanager
    def more(self, kind=None):
        """One more node, for as long as the context lasts or until the test kills it."""
        node = self.add(kind)
        try:
            yield node
        finally:
            if node in self.ray.worker_nodes:
                self.kill(node)

    def kill(self, node):
        self.ray.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="session")
def nodes():
    """A head that trains nothing, a node that declares a T4 and one that declares an A100."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Ray's workers give way to all others by default, and would starve beside the other tests.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - the name that Ray reads
    cluster = RayCluster()
    cluster.add_node(num_cpus=0, include_dashboard=False, object_store_memory=_STORE)
    found = Nodes(cluster)
    found.add("t4")
    found.add("a100")
    yield found
    cluster.shutdown()


@pytest.fixture(scope="session")
def cluster(nodes):
    """The cluster as a driver sees it."""
    with connected(nodes.address, threads=1) as found:
        yield found


@pytest.fixture
def said():
    """What executors tell the user."""
    return []


@pytest.fixture
def on(cluster, said):
    """``on(judge)``: an executor of the cluster with that store."""
    made = []

    def make(judge, *, timeout=120.0, no_node=60.0, **more):
        results = judge.results
        data = DataHere({}, {content: results.graphs(content) for content in results.folders})
        plugins = {path.name: path.read_bytes() for path in (PLUGIN, AS_DECLARED)}
        limits = Limits(timeout, no_node=no_node)
        found = RayExecutor(cluster, judge.store, data.truth, limits, plugins, said.append, **more)
        made.append(found)
        return found

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def until():
    """``until(executor, count)``: outcomes, once there are so many."""

    def wait(executor, count=1, seconds=90.0):
        outcomes, end = [], time.monotonic() + seconds
        while len(outcomes) < count and time.monotonic() < end:
            outcomes += executor.wait(0.5)
        return outcomes

    return wait
