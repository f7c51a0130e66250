"""A data set several times over, on disk, without ever holding it in memory."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.files import folder_written_whole, write_json
from harness.graphs.dataset import content_hash, open_folder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.graphs.dataset import PackedGraphs

_POINTERS = ("node_ptr", "edge_ptr")


def replicate(graphs: PackedGraphs, count: int, folder: Path) -> PackedGraphs:
    """Store ``count`` graphs: the set's own one after the other, again and again.

    Each graph is in a group of its own, so that groups are as many as graphs.

    Args:
        graphs: what is repeated; at least one.
        count: graphs in all.
        folder: where they go.
    """
    arrays: dict[str, NDArray[Any]] = {
        each.name: value
        for each in fields(graphs)
        if isinstance(value := getattr(graphs, each.name), np.ndarray)
    }
    whole, rest = divmod(count, len(graphs))
    with folder_written_whole(folder) as draft:
        for name, array in arrays.items():
            if name == "group":
                np.save(draft / "group.npy", np.arange(count, dtype=array.dtype))
            elif name in _POINTERS:
                sizes = np.resize(np.diff(array), count)
                np.save(draft / f"{name}.npy", np.append(0, np.cumsum(sizes)))
            else:
                _repeat(array, whole, _end(graphs, name, rest), draft / f"{name}.npy")
        for name, codes in graphs.tags.items():
            _repeat(codes, whole, rest, draft / f"tag_{name}.npy")
        info = graphs.info.model_copy(
            update={"content": "", "source": f"{graphs.info.source}, {count} graphs of it"}
        )
        write_json(draft / "info.json", info.model_dump(mode="json"))
        info = info.model_copy(update={"content": content_hash(open_folder(draft))})
        write_json(draft / "info.json", info.model_dump(mode="json"))
    return open_folder(folder)


def _end(graphs: PackedGraphs, name: str, rest: int) -> int:
    """How much of an array belongs to the first ``rest`` graphs."""
    if name.startswith("node_"):
        return int(graphs.node_ptr[rest])
    return int(graphs.edge_ptr[rest]) if name.startswith("edge_") else rest


def _repeat(array: NDArray[Any], whole: int, end: int, path: Path) -> None:
    shape = (whole * len(array) + end, *array.shape[1:])
    written = np.lib.format.open_memmap(path, mode="w+", dtype=array.dtype, shape=shape)
    for start in range(0, len(written), max(len(array), 1)):
        part = written[start : start + len(array)]
        part[:] = array[: len(part)]
    written.flush()
