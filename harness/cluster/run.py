"""A campaign on a cluster: what is asked of it, and the executor that answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.cluster.executor import Limits, RayExecutor
from harness.errors import UsageError
from harness.matrix.here import DataHere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
        UsageError: if two plugins have one name.
        OSError: if a plugin cannot be read.
    """
    data = DataHere.of(ablation.judge.results)
    plugins = plugin_files(map(Path, ablation.plugins))
    limits = Limits(ablation.timeout, jobs)
    return RayExecutor(cluster, ablation.store, data.truth, limits, plugins, tell)


def plugin_files(files: Iterable[Path]) -> dict[str, bytes]:
    """What plugins hold, by the names that they have on a node, where all are in one folder.

    Raises:
        UsageError: if two have one name.
        OSError: if one cannot be read.
    """
    found: dict[str, Path] = {}
    for file in files:
        other = found.setdefault(file.name, file)
        if other != file:
            raise UsageError(
                f"{other} and {file} would be one file on a node of the cluster",
                where=f"--plugins {file}",
                mend="give one of them another name",
            )
    return {name: file.read_bytes() for name, file in found.items()}
