"""Devign, as CodeXGLUE gives it, and the JSONL sets that name their fields alike."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field

from harness.graphs.build import Sample
from harness.graphs.code import c
from harness.graphs.code.c_process import CReader
from harness.graphs.code.c_types import NUM_TYPES
from harness.graphs.sources.base import MAX_TAG, PARSERS, Progress, installed, register_source
from harness.graphs.sources.broken import Broken
from harness.graphs.sources.records import Record, file_key, first_record, read_samples
from harness.graphs.sources.text import TextSource

if TYPE_CHECKING:
    from harness.graphs.dataset import PackedGraphs


@register_source
class Devign(TextSource):
    """C functions in a JSONL file with ``func``, ``target``, ``project`` and ``commit_id``.

    Graphs are syntax trees with next-leaf and next-use edges. Functions of one commit stay
    together in a split; a function without a commit stands by itself. PrimeVul and DiverseVul,
    whose fields have the same names, are read as well.

    Limits: the labels are the data set's own, and Devign's are known to be noisy (Croft et al.,
    "Data Quality for Software Vulnerability Datasets", ICSE 2023). The functions' text is under
    the licences of the projects it was taken from.
    """

    name: ClassVar[str] = "devign"

    path: Path = Field(description="the JSONL file")
    dialect: c.Dialect = Field("auto", description="grammar to read with: auto, c or cpp")

    @classmethod
    def detect(cls, path: Path) -> Self | None:
        """A JSONL file whose first record has a ``func`` and a ``target``, and no tree."""
        record = first_record(path) if path.suffix == ".jsonl" else None
        if record is None or record.holds_graph:
            return None
        return cls(path=path) if {"func", "target"} <= record.values.keys() else None

    def key(self) -> str:
        """Hash of the file, the options and the parsers' versions."""
        return self.key_of(file_key(self.path), installed(PARSERS))

    def build(self, progress: Progress) -> PackedGraphs:
        """Read the file line by line."""
        counts: Counter[str] = Counter()
        with CReader(self.dialect, self.max_nodes) as reader:
            samples = read_samples(
                self.path,
                lambda record: self._sample(record, reader),
                counts,
                Broken(counts, strict=self.strict),
                progress,
            )
            return self.packed(samples, counts, num_types=NUM_TYPES)

    def _sample(self, record: Record, reader: CReader) -> Sample:
        text, label = record.text("func"), record.label("target")
        if not text.strip():
            raise record.error("is missing or empty", "func")
        project, commit = record.text("project"), record.text("commit_id")
        tree = reader.read(text).tree
        key = tree.key()
        return Sample(
            graph=c.graph(tree, self.num_tokens),
            label=label,
            group=f"{project} {commit}" if commit else key,
            text_key=key,
            tags={"project": project[:MAX_TAG]} if project else {},
        )
