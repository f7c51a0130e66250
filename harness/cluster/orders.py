"""What goes to a node and what comes back: plain data, so that both sides see the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import ray

Blob: TypeAlias = "ray.ObjectRef[bytes]"
"""Bytes in the cluster's object store; a node fetches them when it asks."""


@dataclass(frozen=True)
class Parcel:
    """A data set and the plugins of a campaign, for whichever node lacks them.

    Attributes:
        content: hash of the data set.
        folder: where the driver has it; used where the node sees the same files there.
        files: the packed arrays, by file name.
        plugins: Python files that register features, by file name.
    """

    content: str
    folder: str
    files: tuple[tuple[str, Blob], ...]
    plugins: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class TrialOrder:
    """A trial for a node.

    Attributes:
        spec: the trial as JSON.
        parcel: what it needs.
        timeout: seconds after which it is killed.
        checkpoint: bundle of its checkpoints, if it was interrupted before.
    """

    spec: str
    parcel: Parcel
    timeout: float
    checkpoint: Blob | None = None


@dataclass(frozen=True)
class TimingOrder:
    """Both arms of a cell for a node that is to time them.

    Attributes:
        baseline: trial of the baseline arm as JSON.
        candidate: trial of the candidate arm as JSON.
        parcel: what they need.
        settings: of the visits, as JSON.
        timeout: seconds after which a visit is given up.
    """

    baseline: str
    candidate: str
    parcel: Parcel
    settings: str
    timeout: float


@dataclass(frozen=True)
class News:
    """What a node tells of a trial: that it goes on, or how it ended.

    Attributes:
        status: ``running``, or how the attempt ended.
        content: bundle of the checkpoints, or of the finished trial; empty where there is none.
        failure: the node's failure record as JSON; empty where there is none.
    """

    status: Literal["running", "finished", "error", "damaged", "killed", "timeout"]
    content: bytes = b""
    failure: str = ""
