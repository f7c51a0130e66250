"""StreamGuard JSONL: graphs that another program made, or the text they would be made of."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from pydantic import Field

from harness.graphs.build import Sample
from harness.graphs.code import tokens
from harness.graphs.code.graph import UnreadableCodeError
from harness.graphs.sources.base import MAX_TAG, Progress, register_source
from harness.graphs.sources.broken import Broken
from harness.graphs.sources.foreign import EdgeLayout, ForeignGraphs
from harness.graphs.sources.records import Record, file_key, first_record, read_samples
from harness.graphs.sources.text import TextSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.graphs.code.graph import CodeGraph
    from harness.graphs.dataset import PackedGraphs

MAX_FEATURES = 1 << 14
MAX_WEIGHT = 1e6
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@register_source
class StreamGuard(TextSource):
    """Graphs in a JSONL file with ``ast_nodes``, ``edge_index`` and ``label`` (or ``target``).

    ``ast_nodes`` lists names of node types, ids of node types, or objects with a ``type`` and
    perhaps a ``text``. ``edge_index`` is ``[2, E]`` or a list of pairs; two edges can be read
    either way, and are read as ``[2, 2]`` unless an earlier line of the file settles it. Edges
    are directed as given, unless ``symmetric`` is set. Where there are no nodes, ``code`` (or
    ``func``) becomes a graph of its tokens, with next-token and next-use edges. ``weight`` is the
    weight of the graph's loss, ``graph_cls`` a vector of features of the whole graph, which all
    lines have or none. Lines that share a ``group``, or a ``project`` and ``commit_id``, stay
    together in a split; others stand by themselves.

    Limits: names of node types are hashed, so two of them can share an id; all types have an id
    of their own if they come as ids. A line of more than 16 MiB is broken.
    """

    name: ClassVar[str] = "streamguard"

    path: Path = Field(description="the JSONL file")
    edges: EdgeLayout = Field("auto", description="edge_index as rows [2, E], as pairs, or auto")
    symmetric: bool = Field(default=False, description="every edge stands for both directions")
    graph_cls: bool = Field(default=True, description="read graph_cls as graph features")
    num_types: int = Field(512, ge=32, le=1 << 16, description="size of the node-type vocabulary")

    @classmethod
    def detect(cls, path: Path) -> Self | None:
        """A JSONL file whose first record has a label and a graph, or a label and a text.

        ``func`` with ``target`` and no graph is what Devign's reader takes, and parses.
        """
        record = first_record(path) if path.suffix == ".jsonl" else None
        if record is None or not {"label", "target"} & record.values.keys():
            return None
        parsed = {"func", "target"} <= record.values.keys()
        text = {"code", "func"} & record.values.keys() and not parsed
        return cls(path=path) if record.holds_graph or text else None

    def key(self) -> str:
        """Hash of the file and the options."""
        return self.key_of(file_key(self.path), {})

    def build(self, progress: Progress) -> PackedGraphs:
        """Read the file line by line."""
        counts: Counter[str] = Counter()
        reader = _Reader(self)
        samples = read_samples(
            self.path, reader.sample, counts, Broken(counts, strict=self.strict), progress
        )
        return self.packed(
            samples, counts, num_types=self.num_types, symmetric=self.symmetric, parsers=()
        )


class _Reader:
    """Turns records into samples; remembers what the first ones settle for the whole file."""

    def __init__(self, options: StreamGuard) -> None:
        self._options = options
        self._graphs = ForeignGraphs(
            options.num_types, options.num_tokens, options.edges, symmetric=options.symmetric
        )
        self._num_features: int | None = None

    def sample(self, record: Record) -> Sample:
        label = record.label("label", "target")
        text = record.text("code", "func")
        graph, key = self._graph(record, text)
        weight = record.number("weight")
        if weight is not None and not 0 <= weight <= MAX_WEIGHT:
            raise record.error("is not between 0 and a million", "weight")
        language = record.text("language")
        return Sample(
            graph=graph,
            label=label,
            group=_group(record) or key,
            text_key=key,
            weight=weight,
            graph_features=self._features(record) if self._options.graph_cls else None,
            tags={"language": language[:MAX_TAG]} if language else {},
        )

    def _graph(self, record: Record, text: str) -> tuple[CodeGraph, str]:
        options = self._options
        nodes = record.values.get("ast_nodes")
        if isinstance(nodes, list) and len(nodes) > options.max_nodes:
            raise UnreadableCodeError.too_many_nodes(options.max_nodes)
        if nodes:
            graph = self._graphs.read(record)
            # Layout makes no other text of a function: it is no part of its key.
            shown = " ".join(text.split()).encode() if text.strip() else _bytes(graph)
            return graph, hashlib.sha256(shown).hexdigest()[:32]
        if not text.strip():
            raise record.error("is missing, and so is a text to read instead", "ast_nodes")
        tree = tokens.read(text, options.max_nodes)
        return tokens.graph(tree, options.num_tokens), tree.key()

    def _features(self, record: Record) -> NDArray[np.float32] | None:
        values = record.values.get("graph_cls")
        if values is not None and not (isinstance(values, list) and len(values) <= MAX_FEATURES):
            raise record.error(f"is not a list of at most {MAX_FEATURES} numbers", "graph_cls")
        found = len(values or ())
        if self._num_features is None:
            self._num_features = found
        if found != self._num_features:
            raise record.error("has another length than the first sound line's", "graph_cls")
        if not values:
            return None
        if not all(type(value) in (int, float) and abs(value) < _FLOAT32_MAX for value in values):
            raise record.error("holds something else than finite numbers", "graph_cls")
        return np.asarray(values, np.float32)


def _group(record: Record) -> str:
    group, commit = record.text("group"), record.text("commit_id")
    return group or (f"{record.text('project')} {commit}" if commit else "")


def _bytes(graph: CodeGraph) -> bytes:
    return b"".join(array.astype("<i4").tobytes() + b"|" for array in vars(graph).values())
