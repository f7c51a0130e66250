"""Targets that are data sets: every source of graphs, and packed folders."""

from __future__ import annotations

import json
import lzma
import zipfile
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from harness.graphs import catalog
from harness.graphs.batch import collate
from harness.graphs.code.c_process import CReader
from harness.graphs.dataset import save
from harness.graphs.sources import code_folder, devign, make_source, silent, sven
from harness.selection import Selection
from harness.testing import planted_graphs
from tests.fuzz.mutate import (
    mutate_bytes,
    mutate_json,
    mutate_lines,
    mutate_npy,
    mutate_zip,
)
from tests.fuzz.target import PARSING, Prepared, Target, one_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from random import Random

    from harness.graphs.code.c import CFunction, Dialect

_C = "int f{0}(int a) {{ if (a == {0}) return a; while (a < {0}) a++; return -a; }}"


class LastingReader:
    """A ``CReader`` whose process outlives its block: starting one takes longer than a reading."""

    _made: ClassVar[dict[tuple[str, int], CReader]] = {}

    def __init__(self, dialect: Dialect, max_nodes: int) -> None:
        self._reader = self._made.setdefault((dialect, max_nodes), CReader(dialect, max_nodes))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, text: str | bytes) -> CFunction:
        return self._reader.read(text)

    @classmethod
    def end(cls) -> None:
        while cls._made:
            cls._made.popitem()[1].__exit__(None, None, None)


def _lasting() -> None:
    for module in (devign, sven, code_folder):
        module.CReader = LastingReader


def _use(source: str, **values: Any) -> None:
    """Build a data set, and use it as training would."""
    kind = make_source(Selection(source, values))
    kind.key()
    graphs = kind.build(silent)
    list(catalog.describe(graphs))
    collate(graphs, np.arange(len(graphs)))


def _lines(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def _streamguard(folder: Path) -> Prepared:
    path = folder / "data.jsonl"
    content = _lines(*(
        {
            "ast_nodes": [{"type": "If", "text": f"x{place}"}, "Call", place, 3],
            "edge_index": [[0, 1, 2], [1, 2, 3]], "label": place % 2, "weight": 0.5 + place,
            "code": f"x = {place}", "graph_cls": [0.5, place], "language": "c",
            "project": "p", "commit_id": str(place),
        }
        for place in range(8)
    ))  # fmt: skip

    def read() -> None:
        catalog.detect(path)
        _use("streamguard", path=str(path))

    return one_file(path, content, read, mutate_lines)


def _devign(folder: Path) -> Prepared:
    _lasting()
    path = folder / "data.jsonl"
    content = _lines(*(
        {"func": _C.format(place), "target": place % 2, "project": "p", "commit_id": str(place)}
        for place in range(8)
    ))  # fmt: skip

    def read() -> None:
        catalog.detect(path)
        _use("devign", path=str(path))

    path.write_bytes(content)
    return Prepared({path: mutate_lines}, read, LastingReader.end)


def _sven_records() -> bytes:
    pairs = [
        {
            "func_src_before": _C.format(place), "func_src_after": _C.format(place + 50),
            "commit_link": f"c{place}", "vul_type": "cwe-089", "file_name": "a.c",
        }
        for place in range(4)
    ]  # fmt: skip
    pairs[0] |= {
        "file_name": "a.py",
        "func_src_before": "def f():\n  pass",
        "func_src_after": "x = 1",
    }
    return json.dumps({"train/cwe-089.jsonl": pairs[:2], "val/cwe-022.jsonl": pairs[2:]}).encode()


def _mutate_xz(random: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    try:
        inside = lzma.decompress(content)
    except lzma.LZMAError:
        return mutate_bytes(random, content, others)
    if random.random() < 0.5:
        return mutate_bytes(random, content, others)
    return lzma.compress(mutate_json(random, inside, others), preset=0)


def _sven(folder: Path) -> Prepared:
    _lasting()
    plain, packed = folder / "sven.json", folder / "sven.json.xz"
    plain.write_bytes(_sven_records())
    packed.write_bytes(lzma.compress(_sven_records(), preset=0))

    def read() -> None:
        for path in (plain, packed):
            catalog.detect(path)
            _use("sven", path=str(path))

    return Prepared({plain: mutate_json, packed: _mutate_xz}, read, LastingReader.end)


def _groups() -> bytes:
    rows = "".join(f"f{place}_{place % 2}.c,{place % 2},g{place},1\n" for place in range(6))
    return f"file,label,group,usable\n{rows}".encode()


def _code_folder(folder: Path) -> Prepared:
    _lasting()
    code = folder / "code"
    code.mkdir()
    for place in range(6):
        (code / f"f{place}_{place % 2}.c").write_text(_C.format(place))
    (code / "groups.csv").write_bytes(_groups())

    def read() -> None:
        catalog.detect(code)
        _use("code_folder", path=str(code))

    files = dict.fromkeys((code / "f0_0.c", code / "groups.csv"), mutate_bytes)
    return Prepared(files, read, LastingReader.end)


def _code_archive(folder: Path) -> Prepared:
    _lasting()
    path = folder / "code.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for place in range(6):
            archive.writestr(f"d/f{place}_{place % 2}.c", _C.format(place))

    def read() -> None:
        catalog.detect(path)
        _use("code_folder", path=str(path))

    return Prepared({path: mutate_zip}, read, LastingReader.end)


def _packed(folder: Path) -> Prepared:
    place = folder / "set"
    save(planted_graphs(40, seed=3), place)
    ways = dict.fromkeys(sorted(place.glob("*.npy")), mutate_npy)

    def read() -> None:
        catalog.detect(place)
        _use("packed", path=str(place))

    return Prepared({**ways, place / "info.json": mutate_json}, read)


TARGETS = (
    Target("streamguard", _streamguard),
    Target("devign", _devign, seconds=PARSING),
    Target("sven", _sven, seconds=PARSING),
    Target("code_folder", _code_folder, seconds=PARSING),
    Target("code_archive", _code_archive, seconds=PARSING),
    Target("packed", _packed),
)
