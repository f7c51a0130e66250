"""How a batch is divided among ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.settings import TrainingSettings


def size_of_share(settings: TrainingSettings, world: int) -> int:
    """Graphs of a batch that each of ``world`` ranks trains.

    Raises:
        UsageError: if batches cannot be divided equally.
    """
    size = settings.batch_size
    if world > 1 and settings.batch_nodes:
        raise UsageError(
            "ranks cannot share batches that are cut by their nodes",
            mend="leave --batch-nodes out",
        )
    if size % world:
        raise UsageError(
            f"a batch of {size} graphs cannot be shared by {world} ranks equally",
            mend="take another --batch-size, or other ranks",
        )
    return size // world
