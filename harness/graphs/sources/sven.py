"""SVEN: functions before and after the repair of a vulnerability, in C, C++ and Python."""

from __future__ import annotations

import json
import lzma
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from harness.errors import DataError
from harness.graphs.build import Sample
from harness.graphs.code import c, c_types, python
from harness.graphs.code.c_process import CReader
from harness.graphs.code.graph import CodeGraph, UnreadableCodeError
from harness.graphs.sources.base import MAX_TAG, PARSERS, Progress, installed, register_source
from harness.graphs.sources.broken import Broken
from harness.graphs.sources.records import READ, Record, file_key
from harness.graphs.sources.text import TextSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.graphs.dataset import PackedGraphs

MAX_PACKED = 64 << 20
MAX_UNPACKED = 64 << 20
"""Ten times the real one; JSON of nothing but brackets takes some twenty times that."""

MAX_MEMORY = 128 << 20

_VERSIONS = ((1, "func_src_before"), (0, "func_src_after"))
_C_TYPES_START = python.NUM_TYPES


@register_source
class Sven(TextSource):
    """Pairs of a vulnerable function and its repair, in one ``.json.xz`` or ``.json`` file.

    The file holds one object that gives each of SVEN's own files (``train/cwe-089.jsonl``) the
    list of its records. Before the repair a function is vulnerable, after it safe. Functions of
    one commit stay together in a split. C, C++ and Python share one vocabulary of node types, a
    range each; tags give language and weakness.

    Licence: MIT, (c) 2024 SRI Lab ETH Zurich; the functions are under their projects' licences.
    Limits: half of the graphs are vulnerable, and the two of a pair differ in a few nodes.
    Source: He and Vechev, "Large Language Models for Code: Security Hardening and Adversarial
    Testing", CCS 2023.
    """

    name: ClassVar[str] = "sven"

    path: Path = Field(description="the .json.xz or .json file")
    language: Literal["all", "c", "python"] = Field("all", description="all, c (and C++) or python")

    @classmethod
    def detect(cls, path: Path) -> Self | None:
        """A file with sven in its name that ends in .json.xz or .json."""
        name = path.name.lower()
        known = "sven" in name and name.endswith((".json", ".json.xz")) and path.is_file()
        return cls(path=path) if known else None

    def key(self) -> str:
        """Hash of the file, the options, and the versions of Python and the parsers."""
        return self.key_of(file_key(self.path), installed(PARSERS))

    def build(self, progress: Progress) -> PackedGraphs:
        """Read the whole file, then one record after the other."""
        counts: Counter[str] = Counter()
        records = list(self._records(_load(self.path)))
        with CReader("auto", self.max_nodes) as reader:
            samples = self._samples(records, reader, counts, progress)
            num_types = python.NUM_TYPES + c_types.NUM_TYPES
            return self.packed(samples, counts, num_types=num_types)

    def _records(self, content: Any) -> Iterator[tuple[str, Any]]:
        if not isinstance(content, dict) or not all(map(_is_list, content.values())):
            raise DataError.at(self.path, "is not an object of lists of records")
        for name, values in sorted(content.items()):
            for number, value in enumerate(values, start=1):
                yield f"{self.path}, {name}:{number}", value

    def _samples(
        self,
        records: list[tuple[str, Any]],
        reader: CReader,
        counts: Counter[str],
        progress: Progress,
    ) -> Iterator[Sample]:
        broken = Broken(counts, strict=self.strict)
        for done, (where, values) in enumerate(records):
            progress(done, len(records), "pairs")
            counts[READ] += len(_VERSIONS)
            try:
                pair = _Pair(where, values)
            except DataError as error:
                broken.note(error)
                broken.note(error)
                continue
            if self.language not in ("all", pair.language):
                counts["in another language"] += len(_VERSIONS)
                continue
            for label, text in pair.versions:
                try:
                    graph, key = self._graph(pair.language, text, reader)
                except UnreadableCodeError as error:
                    counts[str(error)] += 1
                    continue
                tags = {"language": pair.language, "weakness": pair.weakness}
                yield Sample(graph, label, pair.commit, key, tags=tags)
        progress(len(records), len(records), "pairs")
        broken.check(self.path, counts[READ], "functions")

    def _graph(self, language: str, text: str, reader: CReader) -> tuple[CodeGraph, str]:
        if language == "python":
            found = python.read(python.parse(text), self.max_nodes)
            return python.graph(found, self.num_tokens), found.key()
        tree = reader.read(text).tree
        tree.kind = [_C_TYPES_START + kind for kind in tree.kind]
        return c.graph(tree, self.num_tokens), tree.key()


class _Pair:
    """One record's fields, checked."""

    def __init__(self, where: str, values: Any) -> None:
        if not isinstance(values, dict):
            raise DataError("not an object", where=where)
        record = Record(where, None, values)
        self.versions = [(label, _text(record, field)) for label, field in _VERSIONS]
        self.commit = _text(record, "commit_link")
        self.weakness = record.text("vul_type")[:MAX_TAG]
        name = PurePosixPath(_text(record, "file_name"))
        self.language = "python" if name.suffix == ".py" else "c"


def _text(record: Record, field: str) -> str:
    text = record.text(field)
    if not text.strip():
        raise record.error("is missing or empty", field)
    return text


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _load(path: Path) -> Any:
    """Read JSON, unpacked with bounds on size and memory."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PACKED + 1)
        if len(content) > MAX_PACKED:
            raise DataError.at(path, f"larger than {MAX_PACKED >> 20} MiB")
        if path.suffix == ".xz":
            unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_MEMORY)
            content = unpacker.decompress(content, MAX_UNPACKED)
            if not unpacker.eof:
                raise DataError.at(
                    path, f"cut short, or unpacks to more than {MAX_UNPACKED >> 20} MiB"
                )
        return json.loads(content)
    except OSError as error:
        raise DataError.at(path, f"cannot be read: {error.strerror}") from error
    except lzma.LZMAError as error:
        raise DataError.at(path, f"cannot be unpacked: {error}") from error
    except json.JSONDecodeError as error:
        what = f"not JSON: {error.msg} (column {error.colno})"
        raise DataError.at(path, what, line=error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise DataError.at(path, f"not JSON: {error}") from error
