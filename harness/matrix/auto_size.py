"""``--batch-size auto``: a number in its place before anything is planned.

The batch size is part of every trial's key, and the free memory is another at every moment. So
the choice is kept beside the results, and the same question asked again gets the same number.

Known limitations: the need is estimated from sizes of graphs and layers, mostly above what is then
measured; features that hold more than the model, such as an average of its weights, are not
weighed. One number for all models and data sets of a run: the smallest of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from harness.config import AUTO
from harness.errors import DataError
from harness.files import read_json, write_json
from harness.hashing import content_key
from harness.matrix.footprint import measure
from harness.matrix.memory import available_memory
from harness.matrix.sizing import BatchSize, GraphSizes, choose
from harness.seal import sealed, unsealed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from harness.config import RunConfig
    from harness.graphs.dataset import PackedGraphs
    from harness.selection import Selection


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(ge=1, le=1_000_000)


@dataclass(frozen=True)
class Chosen:
    """A choice and where it is kept.

    Attributes:
        batch_size: the number and what it takes.
        path: of the file that makes it last.
    """

    batch_size: BatchSize
    path: Path

    def keep(self) -> None:
        """Write it down.

        Raises:
            OSError: if the folder cannot be written.
        """
        write_json(self.path, sealed(_Kept(size=self.batch_size.size).model_dump()))


def resolve(
    config: RunConfig, models: Sequence[Selection], data: Mapping[str, PackedGraphs], folder: Path,
    jobs: int, memory: Callable[[str], int] = available_memory,
) -> tuple[RunConfig, Chosen | None]:  # fmt: skip
    """The configuration with a number for ``auto``; as it is, and None, where there is one.

    Nothing is written.

    Args:
        config: of the run.
        models: that it trains; the smallest of their sizes is taken for all.
        data: data sets by name, likewise.
        folder: where an earlier choice may be kept.
        jobs: trials at once, which share the memory.
        memory: bytes that are free on a device.

    Raises:
        DataError: if a kept choice cannot be read.
        UsageError: if a model or one of its values is unknown.
    """
    if config.batch_size != AUTO:
        return config, None
    most_nodes = config.batch_nodes or 0
    path = folder / f"batch-size-{_key(config, models, data)}.json"
    runs = {
        f"{model} on {name}": (GraphSizes.of(graphs), measure(model, graphs, config.device))
        for name, graphs in data.items()
        for model in models
    }
    share = memory(config.device) // jobs
    found = choose(runs, share, most_nodes=most_nodes, fixed=_kept(path))
    return config.model_copy(update={"batch_size": found.size}), Chosen(found, path)


def _key(
    config: RunConfig, models: Sequence[Selection], data: Mapping[str, PackedGraphs]
) -> str:  # fmt: skip
    contents = sorted(graphs.content for graphs in data.values())
    names = sorted(map(str, models))
    return content_key([contents, names, config.device, config.batch_nodes or 0], length=16)


def _kept(path: Path) -> int | None:
    if not path.exists():
        return None
    mend = "delete it, or give the number itself: --batch-size N"
    try:
        return _Kept.model_validate(unsealed(read_json(path))).size
    except (ValueError, DataError) as error:
        raise DataError("holds no batch size", where=str(path), mend=mend) from error
