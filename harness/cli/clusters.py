"""The Ray cluster of a command that trains."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.cluster.connect import Cluster
    from harness.config import RunConfig


@contextmanager
def cluster_of(settings: RunConfig) -> Iterator[Cluster | None]:
    """The cluster that is asked for, connected; None where this machine trains.

    Raises:
        UsageError: if the extra is not installed, or no cluster answers.
    """
    if settings.executor == "local":
        if "address" in settings.model_fields_set:
            raise UsageError(
                "this machine trains, and no cluster is connected to",
                where="--address",
                mend="add --executor ray, or leave the address out",
            )
        yield None
        return
    if find_spec("ray") is None:
        raise UsageError(
            "the package 'ray' is not installed",
            where="--executor ray",
            mend="pip install 'gnn-ablation-harness[ray]'",
        )
    from harness.cluster.connect import connected  # noqa: PLC0415 - ray is an extra

    with connected(settings.address, settings.threads) as cluster:
        yield cluster
