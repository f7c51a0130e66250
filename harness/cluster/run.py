"""A campaign on a cluster: what is asked of it, and the executor that answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.cluster.executor import Limits, RayExecutor
from harness.matrix.here import DataHere

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.cluster.connect import Cluster
    from harness.config import RunConfig
    from harness.matrix.ablation import Ablation


def with_kinds(config: RunConfig, cluster: Cluster) -> RunConfig:
    """A configuration that names the kinds of hardware it needs: by default those there are.

    Raises:
        UsageError: if none is named and the cluster has none.
    """
    if config.hardware:
        return config
    device = config.device.partition(":")[0]
    return config.model_copy(update={"hardware": ",".join(cluster.kinds(device))})


def on_cluster(
    ablation: Ablation, cluster: Cluster, jobs: int, tell: Callable[[str], None]
) -> RayExecutor:
    """The executor that runs an ablation's trials on a cluster.

    Args:
        ablation: laid out for the kinds of the cluster.
        cluster: that is connected.
        jobs: trials at once; 0 for as many as the cluster takes.
        tell: told what a user should know, one sentence each.

    Raises:
        OSError: if a plugin cannot be read.
    """
    results = ablation.judge.results
    data = DataHere({}, {content: results.graphs(content) for content in results.folders})
    plugins = {Path(file).name: Path(file).read_bytes() for file in ablation.plugins}
    limits = Limits(ablation.timeout, jobs)
    return RayExecutor(cluster, ablation.store, data.truth, limits, plugins, tell)
