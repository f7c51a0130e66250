"""A graph data set as a handful of flat arrays with offsets: no Python object per graph.

One folder holds one data set: ``info.json`` and a plain ``.npy`` file per array, opened
memory-mapped and never through pickle. Node and edge indices are local to their graph, so a
graph costs about 3 bytes a node and 4 bytes an edge.
"""

from __future__ import annotations

import hashlib
import re
import tokenize
import warnings
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import DataError, first_problem
from harness.files import folder_written_whole, read_json, size_of, write_json
from harness.seal import sealed, unsealed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

SCHEMA = 1
MAX_GRAPHS = 2**31 - 1

_MEND = "delete the data set's folder; it is built anew when it is needed"
_TAG_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

# What numpy raises for a file that is no array, or declares one that no memory can hold.
_NO_ARRAY = (
    OSError, ValueError, TypeError, EOFError, SyntaxError, MemoryError, OverflowError,
    RecursionError, tokenize.TokenError,
)  # fmt: skip

# Kind of dtype and number of axes of each array; all others, tags among them, are ("i", 1).
_KINDS = {
    "node_type": ("u", 1), "node_token": ("u", 1), "edge_source": ("u", 1), "edge_target": ("u", 1),
    "weight": ("f", 1), "graph_features": ("f", 2),
}  # fmt: skip
# Arrays of all graphs end to end, each with its offsets.
_FLAT = {
    "node_type": "node_ptr", "node_token": "node_ptr", "edge_source": "edge_ptr",
    "edge_target": "edge_ptr",
}  # fmt: skip


class DatasetInfo(BaseModel):
    """What a data set is and where it came from; stored beside its arrays.

    Attributes:
        name: short name used in reports and on the command line.
        source: the selection that built it.
        content: SHA-256 of the arrays, hexadecimal; the identity of the data.
        num_types: size of the node-type vocabulary.
        num_tokens: size of the token vocabulary (hash buckets).
        symmetric: whether every stored edge stands for both of its directions.
        notes: what every report on this data must say, such as "the defects are injected".
        counts: how many of what were read, kept and skipped, by reason.
        tags: for each tag (such as language), the names that its codes stand for.
        versions: of the packages whose output the data depends on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = SCHEMA
    name: str
    source: str
    content: str = ""
    num_types: int
    num_tokens: int
    symmetric: bool
    notes: tuple[str, ...] = ()
    counts: dict[str, int] = {}
    tags: dict[str, tuple[str, ...]] = {}
    versions: dict[str, str] = {}


@dataclass(frozen=True)
class PackedGraphs:
    """A packed set of ``G`` labelled graphs with ``N`` nodes and ``E`` stored edges in all.

    Attributes:
        info: name, source, vocabulary sizes, counts.
        node_type: ``[N]`` unsigned, in ``range(info.num_types)``.
        node_token: ``[N]`` unsigned, in ``range(info.num_tokens)``; 0 is "no token".
        edge_source: ``[E]`` unsigned, index of the source node within its graph.
        edge_target: ``[E]`` unsigned, index of the target node within its graph.
        node_ptr: ``[G + 1]`` int64, graph ``i`` has nodes ``node_ptr[i]:node_ptr[i + 1]``.
        edge_ptr: ``[G + 1]`` int64, likewise for edges.
        label: ``[G]`` int8, 1 is vulnerable.
        group: ``[G]`` int32, graphs of one group never part in a split.
        weight: ``[G]`` float32 or None, weight of a graph's loss.
        graph_features: ``[G, F]`` float32 or None, features of whole graphs.
        tags: ``[G]`` int32 codes per tag; names in ``info.tags``.
        folder: where the arrays are stored, None for a set that is in memory alone.
    """

    info: DatasetInfo
    node_type: NDArray[np.unsignedinteger]
    node_token: NDArray[np.unsignedinteger]
    edge_source: NDArray[np.unsignedinteger]
    edge_target: NDArray[np.unsignedinteger]
    node_ptr: NDArray[np.int64]
    edge_ptr: NDArray[np.int64]
    label: NDArray[np.int8]
    group: NDArray[np.int32]
    weight: NDArray[np.float32] | None = None
    graph_features: NDArray[np.float32] | None = None
    tags: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.label)

    @property
    def num_nodes(self) -> NDArray[np.int64]:
        """``[G]`` nodes of each graph."""
        return np.diff(self.node_ptr)

    @property
    def num_graph_features(self) -> int:
        """``F``, 0 where there are none."""
        return 0 if self.graph_features is None else int(self.graph_features.shape[1])

    @property
    def content(self) -> str:
        """The identity of the data: SHA-256 over all arrays, 64 hexadecimal digits."""
        return self.info.content or content_hash(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PackedGraphs) and self.content == other.content

    def __hash__(self) -> int:
        return hash(self.content)


def _arrays(graphs: PackedGraphs) -> dict[str, NDArray[np.generic]]:
    found: dict[str, NDArray[np.generic]] = {}
    for spec in fields(graphs):
        value = getattr(graphs, spec.name)
        if isinstance(value, np.ndarray):
            found[spec.name] = value
    found.update({f"tag_{name}": graphs.tags[name] for name in sorted(graphs.tags)})
    return found


def content_hash(graphs: PackedGraphs) -> str:
    """Hash all arrays with their names, types and shapes: SHA-256, 64 hexadecimal digits.

    Little-endian and in C order, so that the hash is the same on every machine.
    """
    digest = hashlib.sha256()
    info = graphs.info
    digest.update(f"{SCHEMA} {info.num_types} {info.num_tokens} {info.symmetric}".encode())
    for name, array in _arrays(graphs).items():
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"|{name} {little.dtype.str} {little.shape}|".encode())
        digest.update(little.data)
    return digest.hexdigest()


def save(graphs: PackedGraphs, folder: Path) -> PackedGraphs:
    """Write a data set to a folder, whole or not at all, and return it with its hash filled in.

    Raises:
        OSError: if the disk is full or the folder cannot be written.
    """
    info = graphs.info.model_copy(update={"content": content_hash(graphs)})
    with folder_written_whole(folder) as draft:
        for name, array in _arrays(graphs).items():
            np.save(draft / f"{name}.npy", array, allow_pickle=False)
        write_json(draft / "info.json", sealed(info.model_dump(mode="json")))
    return open_folder(folder)


def open_folder(folder: Path) -> PackedGraphs:
    """Open a stored data set, memory-mapped.

    Raises:
        DataError: if a file is missing, is no plain array, or the arrays do not fit together.
    """
    try:
        return _open(folder)
    except DataError as error:
        raise DataError(error.what, where=error.where, mend=_MEND) from error


def _open(folder: Path) -> PackedGraphs:
    try:
        info = DatasetInfo.model_validate(unsealed(read_json(folder / "info.json")))
    except ValidationError as error:
        name, what, _ = first_problem(error)
        raise DataError.at(folder / "info.json", what, field=name) from error
    except ValueError as error:
        raise DataError.at(folder / "info.json", str(error)) from error
    if info.version != SCHEMA:
        raise DataError.at(folder, f"written in format {info.version}, this version reads {SCHEMA}")
    names = [
        spec.name for spec in fields(PackedGraphs) if spec.name not in ("info", "tags", "folder")
    ]
    optional = {"weight", "graph_features"}
    arrays = {
        name: _load(folder / f"{name}.npy")
        for name in names
        if name not in optional or (folder / f"{name}.npy").exists()
    }
    for name in info.tags:
        if not _TAG_NAME.match(name):
            raise DataError.at(folder / "info.json", "holds a name that is none", field="tags")
    tags = {name: _load(folder / f"tag_{name}.npy") for name in info.tags}
    graphs = PackedGraphs(info=info, **arrays, tags=tags, folder=folder)  # type: ignore[arg-type]
    _check(graphs, folder)
    return graphs


def check_content(graphs: PackedGraphs, folder: Path) -> None:
    """Hold the bytes of an open data set against its hash: 10 MB in 10 ms.

    Raises:
        DataError: if a stored byte is not what was written.
    """
    if content_hash(graphs) != graphs.info.content:
        raise DataError.at(
            folder, "the arrays do not match the stored hash: the files are damaged", mend=_MEND
        )


def verify(graphs: PackedGraphs, folder: Path) -> None:
    """Recompute the content hash and check every index; reads the whole data set.

    Raises:
        DataError: if a stored byte is not what was written.
    """
    check_content(graphs, folder)
    for name in ("node_ptr", "edge_ptr"):
        pointers = getattr(graphs, name)
        if pointers[0] != 0 or np.any(np.diff(pointers) < 0):
            raise DataError.at(folder / f"{name}.npy", "does not start at 0 and ascend")
    owner_size = np.repeat(graphs.num_nodes, np.diff(graphs.edge_ptr))
    for name in ("edge_source", "edge_target"):
        if np.any(getattr(graphs, name) >= owner_size):
            raise DataError.at(folder / f"{name}.npy", "names a node that its graph does not have")
    tags = {f"tag_{name}": len(names) for name, names in graphs.info.tags.items()}
    sizes = {"node_type": graphs.info.num_types, "node_token": graphs.info.num_tokens, "label": 2}
    for name, size in {**sizes, **tags}.items():
        values = _arrays(graphs)[name]
        if np.any(values < 0) or np.any(values >= size):  # type: ignore[operator]
            raise DataError.at(folder / f"{name}.npy", f"has a value outside of range({size})")


def _load(path: Path) -> NDArray[np.generic]:
    try:
        with warnings.catch_warnings():
            # numpy warns of the old headers that a damaged one can look like.
            warnings.simplefilter("ignore")
            size_of(path)
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except _NO_ARRAY as error:
        raise DataError.at(path, f"cannot be opened as a plain array: {error}") from error
    # A plain view of the same memory: indexing a memmap costs more, and gives another memmap.
    return np.asarray(mapped)


def _check(graphs: PackedGraphs, folder: Path) -> None:
    """Check what costs no reading of the large arrays.

    Raises:
        DataError: naming the array that has another kind, shape or length than it must.
    """
    arrays = _arrays(graphs)
    for name, array in arrays.items():
        kind, rank = _KINDS.get(name, ("i", 1))
        if array.dtype.kind != kind or array.ndim != rank:
            raise DataError.at(
                folder / f"{name}.npy",
                f"is of type {array.dtype} with {array.ndim} axes, which does not belong here",
            )
    count = len(graphs.label)
    expected = dict.fromkeys(arrays, count)
    expected["node_ptr"] = expected["edge_ptr"] = count + 1
    for name, length in expected.items():
        if name not in _FLAT:
            _check_length(name, arrays[name], length, folder)
    for name, pointers in _FLAT.items():
        _check_length(name, arrays[name], int(arrays[pointers][-1]), folder)


def _check_length(name: str, array: NDArray[np.generic], length: int, folder: Path) -> None:
    if len(array) != length:
        raise DataError.at(
            folder / f"{name}.npy", f"has {len(array)} entries where {length} belong"
        )
