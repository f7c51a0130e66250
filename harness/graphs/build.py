"""Labelled graphs, one after the other, into a packed data set.

What is left out is counted by reason, and every sample is accounted for: the samples read are the
samples kept and the samples counted under some reason.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.errors import DataError
from harness.graphs.dataset import MAX_GRAPHS, DatasetInfo, PackedGraphs, content_hash

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.graphs.code.graph import CodeGraph

KEPT = "kept"
BOTH_LABELS = "the same text carries both labels"
DUPLICATE = "duplicate of a kept one"
EMPTY = "the graph is empty"
BEYOND_LIMIT = "beyond the limit"

_NO_WEIGHT = -1.0


@dataclass(frozen=True)
class Sample:
    """One labelled graph on its way into a data set.

    Attributes:
        graph: the graph.
        label: 1 is vulnerable, 0 is safe.
        group: samples of one group never part in a split.
        text_key: hash of the text that the graph shows; the order of the data set follows it.
        weight: of the sample's loss, 0 or more; None where the source has none.
        graph_features: ``[F]`` float32 features of the whole graph, or None.
        tags: names such as ``{"language": "c"}``.
    """

    graph: CodeGraph
    label: int
    group: str
    text_key: str
    weight: float | None = None
    graph_features: NDArray[np.float32] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class _Row(NamedTuple):
    """What is kept of a sample beside its nodes and edges; the smaller of two duplicates stays."""

    label: int
    group: str
    tags: tuple[tuple[str, str], ...]
    weight: float
    features: bytes
    digest: bytes
    place: int


class _Flat:
    """Arrays of all samples end to end, in bytes, with the offset at which each one starts."""

    def __init__(self, dtype: type[np.unsignedinteger]) -> None:
        self._dtype = np.dtype(dtype)
        self._bytes = bytearray()
        self._start = [0]

    def add(self, array: NDArray[np.integer]) -> None:
        self._bytes += array.astype(self._dtype).tobytes()
        self._start.append(len(self._bytes))

    def gather(self, places: Sequence[int]) -> NDArray[np.unsignedinteger]:
        view = memoryview(self._bytes)
        parts = b"".join(view[self._start[place] : self._start[place + 1]] for place in places)
        return np.frombuffer(parts, self._dtype)


def smallest(size: int) -> type[np.unsignedinteger]:
    """The smallest unsigned type that holds ``range(size)``, of at most four bytes."""
    for dtype in (np.uint8, np.uint16):
        if size <= np.iinfo(dtype).max + 1:
            return dtype
    return np.uint32


def pack(
    samples: Iterable[Sample],
    info: DatasetInfo,
    counts: Counter[str],
    *,
    max_nodes: int,
    limit: int = 0,
) -> PackedGraphs:
    """Pack samples, in the order of their text keys, whatever the order they come in.

    Texts that carry both labels are dropped, all copies of them; of copies with one label one is
    kept: the one with the first group name.

    Args:
        samples: read once, one at a time.
        info: of the data set to be; counts, tags and content are filled in.
        counts: reasons of what the source itself left out; read after the last sample, so that
            a source may go on counting while it yields.
        max_nodes: larger graphs are left out.
        limit: keep this many, the first in the order of their keys; 0 keeps all.

    Raises:
        DataError: if nothing is left, or if some samples have graph features and others have not.
    """
    packer = _Packer(info, max_nodes)
    for sample in samples:
        packer.add(sample)
    return packer.finish(counts, limit)


class _Packer:
    def __init__(self, info: DatasetInfo, max_nodes: int) -> None:
        self._info = info
        self._max_nodes = max_nodes
        self._nodes = {
            "node_type": _Flat(smallest(info.num_types)),
            "node_token": _Flat(smallest(info.num_tokens)),
        }
        self._edges = {name: _Flat(smallest(max_nodes)) for name in ("edge_source", "edge_target")}
        self._sizes: list[tuple[int, int]] = []
        self._rows: dict[str, _Row] = {}
        self._copies: dict[str, int] = {}
        self._both: set[str] = set()
        self._empty = 0
        self._oversize = 0

    def add(self, sample: Sample) -> None:
        if not len(sample.graph):
            self._empty += 1
            return
        if len(sample.graph) > self._max_nodes:
            self._oversize += 1
            return
        row = _row(sample, len(self._sizes))
        known = self._rows.get(sample.text_key)
        if known is not None:
            self._copies[sample.text_key] = self._copies.get(sample.text_key, 1) + 1
            if known.label != row.label:
                self._both.add(sample.text_key)
            if known[:-1] <= row[:-1]:
                return
        self._rows[sample.text_key] = row
        self._sizes.append((len(sample.graph), len(sample.graph.edge_source)))
        for arrays in (self._nodes, self._edges):
            for name, flat in arrays.items():
                flat.add(getattr(sample.graph, name))

    def finish(self, counts: Counter[str], limit: int) -> PackedGraphs:
        keys = sorted(self._rows.keys() - self._both)
        kept = keys[: limit or MAX_GRAPHS]
        found = {
            **counts,
            BOTH_LABELS: sum(self._copies[key] for key in self._both),
            DUPLICATE: sum(self._copies.get(key, 1) - 1 for key in keys),
            BEYOND_LIMIT: len(keys) - len(kept),
            EMPTY: self._empty,
            f"the graph has more than {self._max_nodes} nodes": self._oversize
            + counts[f"the graph has more than {self._max_nodes} nodes"],
            KEPT: len(kept),
        }
        found = {reason: number for reason, number in sorted(found.items()) if number}
        if not kept:
            raise DataError(
                f"no graph is left of {self._info.source}",
                mend="; ".join(f"{reason}: {number}" for reason, number in found.items()) or None,
            )
        return self._arrays([self._rows[key] for key in kept], found)

    def _arrays(self, rows: list[_Row], counts: dict[str, int]) -> PackedGraphs:
        places = [row.place for row in rows]
        sizes = np.asarray([self._sizes[place] for place in places], np.int64)
        pointers = np.concatenate([np.zeros((1, 2), np.int64), np.cumsum(sizes, axis=0)])
        _, group = _codes([row.group for row in rows])
        names = sorted({name for row in rows for name, _ in row.tags})
        tags = {name: _codes([dict(row.tags).get(name, "") for row in rows]) for name in names}
        narrow = smallest(int(sizes[:, 0].max()))
        graphs = PackedGraphs(
            info=self._info.model_copy(
                update={"counts": counts, "tags": {name: tags[name][0] for name in names}}
            ),
            node_type=self._nodes["node_type"].gather(places),
            node_token=self._nodes["node_token"].gather(places),
            edge_source=self._edges["edge_source"].gather(places).astype(narrow),
            edge_target=self._edges["edge_target"].gather(places).astype(narrow),
            node_ptr=np.ascontiguousarray(pointers[:, 0]),
            edge_ptr=np.ascontiguousarray(pointers[:, 1]),
            label=np.asarray([row.label for row in rows], np.int8),
            group=group,
            weight=_weights([row.weight for row in rows]),
            graph_features=_features([row.features for row in rows], self._info.source),
            tags={name: tags[name][1] for name in names},
        )
        info = graphs.info.model_copy(update={"content": content_hash(graphs)})
        return replace(graphs, info=info)


def _row(sample: Sample, place: int) -> _Row:
    digest = hashlib.sha256()
    for array in vars(sample.graph).values():
        digest.update(array.astype("<i4").tobytes())
    features = sample.graph_features
    return _Row(
        label=sample.label,
        group=sample.group,
        tags=tuple(sorted(sample.tags.items())),
        weight=_NO_WEIGHT if sample.weight is None else sample.weight,
        features=b"" if features is None else features.astype("<f4").tobytes(),
        digest=digest.digest(),
        place=place,
    )


def _weights(rows: list[float]) -> NDArray[np.float32] | None:
    if all(weight == _NO_WEIGHT for weight in rows):
        return None
    return np.asarray([1.0 if weight == _NO_WEIGHT else weight for weight in rows], np.float32)


def _codes(names: list[str]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    known = tuple(sorted(set(names)))
    code = {name: place for place, name in enumerate(known)}
    return known, np.asarray([code[name] for name in names], np.int32)


def _features(rows: list[bytes], source: str) -> NDArray[np.float32] | None:
    lengths = sorted({len(row) // 4 for row in rows})
    if len(lengths) > 1:
        raise DataError(
            f"graphs of {source} have {lengths[0]} and {lengths[-1]} graph features",
            mend="give every graph the same number of features, or none at all",
        )
    if lengths == [0]:
        return None
    return np.frombuffer(b"".join(rows), "<f4").reshape(len(rows), lengths[0])
