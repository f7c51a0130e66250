"""The hostile inputs that have a name, and where each is tested.

| input | tests |
| --- | --- |
| a line of 10 GB | here; `graphs/sources/test_records.py` |
| a line of nothing but nodes, 10^9 declared nodes or entries | here; `graphs/test_dataset.py` |
| deep nesting | here (JSON of a store, TOML, environment); `test_records.py`, `test_files.py`, \
`graphs/code/test_code_python.py`, `matrix/test_merge.py` |
| zip bombs | `graphs/sources/test_members.py`; of predictions: here, `matrix/test_merge.py` |
| xz bombs | here; `graphs/sources/test_sven.py` |
| tar bombs | nothing opens tar archives: `test_untrusted.py` looks for it |
| paths that lead out of archives and folders | `test_members.py`, `matrix/test_inside.py`, \
`graphs/test_dataset.py`, `matrix/test_attacks.py` |
| symbolic links, pipes | here; `sharing/test_objects.py`, `test_members.py`, `test_inside.py`, \
`test_merge.py`, `test_attacks.py` |
| invalid UTF-8 | here (histories); `test_records.py`, `cli/test_bad_inputs.py` |
| NaN, infinities, huge numbers | here; `test_records.py`, `test_selection.py`, \
`test_config.py`, `tuning/test_space.py` |
| keys that stand twice | here |
| code that makes a parser take gigabytes | `graphs/code/test_c_process.py`, `test_devign.py` |
| pickles | `test_untrusted.py`, `graphs/test_dataset.py`, `training/test_checkpoint.py` |
| a store that lies | `matrix/test_attacks.py`, `matrix/test_merge.py` |
| names, notes, code and cards with HTML in them | `report/html/test_page.py`, `test_browser.py` |

All else that bytes can be, `python -m tests.fuzz` looks for.
"""

from __future__ import annotations

import io
import json
import lzma
import os
import re
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.errors import DataError, HarnessError
from harness.graphs.dataset import open_folder, save
from harness.graphs.sources import make_source, records, silent
from harness.matrix.store import GateScores
from harness.matrix.stored import open_stored
from harness.report.formats import Format
from harness.report.frames import load
from harness.report.summary import summarise
from harness.report.write import to_text
from harness.selection import Selection
from harness.testing import planted_graphs
from harness.training.history import read_history
from tests.fuzz.made_up import make_store

GIB, MIB = 1 << 30, 1 << 20
NODES = {"ast_nodes": ["a", "b"], "edge_index": [[0], [1]], "label": 1}


class Endless:
    """A file whose first line has 10 GB, all of it the same piece of memory."""

    def __init__(self):
        self._left = 10 * GIB
        self._piece = b"x" * (records.MAX_LINE + 1)

    def readline(self, most):
        if self._left < 0:
            return b""
        self._left -= most
        return self._piece[:most] if self._left > 0 else b"\n"


def test_a_line_of_ten_gigabytes_takes_the_memory_of_one_that_is_allowed():
    endless = Endless()
    tracemalloc.start()
    lines = list(records._lines(endless))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lines[0] is None
    assert peak < 3 * records.MAX_LINE


@pytest.mark.slow
def test_a_sparse_file_of_ten_gigabytes_is_refused_in_words(tmp_path):
    path = tmp_path / "data.jsonl"
    with path.open("wb") as file:
        file.truncate(10 * GIB)
    with pytest.raises(DataError, match="longer than 16 MiB"):
        make_source(Selection("streamguard", {"path": str(path)})).build(silent)


def test_a_graph_of_too_many_nodes_is_counted_before_it_is_made(tmp_path):
    path = tmp_path / "data.jsonl"
    # Of the size that a line may have: as numbers in arrays it would take no time, as one Python
    # object a node gigabytes.
    large = json.dumps({**NODES, "ast_nodes": [0] * 2_000_000})
    path.write_text("".join(f"{line}\n" for line in (json.dumps(NODES), large)))
    tracemalloc.start()
    graphs = make_source(Selection("streamguard", {"path": str(path)})).build(silent)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert graphs.info.counts["the graph has more than 10000 nodes"] == 1
    assert peak < 64 * MIB


@pytest.mark.parametrize("name", ["node_type", "edge_source", "label"])
def test_a_thousand_million_declared_entries_are_not_believed(tmp_path, name):
    save(planted_graphs(20), tmp_path / "set")
    path = tmp_path / "set" / f"{name}.npy"
    content = path.read_bytes()
    shape = content[content.index(b"(") : content.index(b")") + 1]
    head = content[:128].replace(shape, b"(1000000000,)").rstrip().ljust(127) + b"\n"
    assert len(head) == 128
    path.write_bytes(head + content[128:])
    with pytest.raises(DataError, match=rf"{name}\.npy"):
        open_folder(tmp_path / "set")


def _npz(**arrays):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", arrays.pop("packed", zipfile.ZIP_STORED)) as archive:
        for name, content in arrays.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def _npy(array, shape=None):
    buffer = io.BytesIO()
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": shape or array.shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + array.tobytes()


def _sound_gate():
    one = np.ones(3, np.uint8)
    return {
        "index": _npy(np.arange(3)), "label": _npy(one), "predicted": _npy(one),
        "probability": _npy(one.astype(np.float32)),
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"packed": zipfile.ZIP_DEFLATED, "index": _npy(np.zeros(8 * MIB, np.int64))},
        {"index": _npy(np.arange(3), (10**9,))},
        {"index": _npy(np.arange(3), (10**30,))},
        {"index": _npy(np.arange(3), (-3,))},
        {"index": _npy(np.arange(4).reshape(2, 2))},
        {"label": _npy(np.full(3, 2, np.uint8))},
        {"label": _npy(np.ones(2, np.uint8))},
        {"probability": _npy(np.ones(3, np.int64))},
        {"predicted": b"\x93NUMPY\x01\x00\x76\x00" + b"(" * 118},
        {"predicted": b""},
    ],
)
def test_predictions_cannot_unfold_to_more_than_they_are(change):
    assert len(GateScores.from_bytes(_npz(**_sound_gate())).index) == 3
    content = _npz(**{**_sound_gate(), **change})
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"."):
        GateScores.from_bytes(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MIB


def test_an_xz_bomb_takes_what_is_allowed_and_no_more(tmp_path, monkeypatch):
    from harness.graphs.sources import sven  # noqa: PLC0415 - a limit of its own

    monkeypatch.setattr(sven, "MAX_UNPACKED", MIB)
    path = tmp_path / "sven.json.xz"
    path.write_bytes(lzma.compress(b" " * (64 * MIB), preset=0))
    assert path.stat().st_size < MIB // 8
    with pytest.raises(DataError, match="unpacks to more than 1 MiB"):
        make_source(Selection("sven", {"path": str(path)})).build(silent)


def test_a_history_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "metrics_history.csv"
    path.write_bytes(b"epoch\xff\n")
    with pytest.raises(DataError, match=r"metrics_history\.csv"):
        read_history(path)


def test_of_a_key_that_stands_twice_the_last_counts_everywhere(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"label": 7, "code": "x", "label": 1}\n')
    graphs = make_source(Selection("streamguard", {"path": str(path)})).build(silent)
    assert graphs.label.tolist() == [1]


@pytest.mark.parametrize("part", ["blocks", "references"])
@pytest.mark.parametrize("content", ["[" * 100_000, "NaN", "[NaN]", '{"always_vulnerable": 1e999}',
                                     "9" * 10_000, "\ud800", "null", "{}"])  # fmt: skip
def test_a_report_on_a_damaged_record_names_its_file(store, part, content):
    for path in (store / part).iterdir():
        path.write_text(content, "utf-8", "surrogatepass")
    with pytest.raises(HarnessError, match=rf"{part}/.*\.json"):
        summarise(open_stored(store))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("pattern", [
    "out/plan.json", "out/trials/*/result.json", "out/trials/*/gate.npz", "out/blocks/*",
    "out/trials/*/metrics_history.csv", "out/references/*", "data/info.json", "data/label.npy",
])  # fmt: skip
@pytest.mark.parametrize("what", ["a pipe", "zeros without an end", "a folder"])
def test_for_what_is_no_file_nobody_waits(store, tmp_path, pattern, what):
    for path in tmp_path.glob(pattern):
        path.unlink()
        if what == "a pipe":
            os.mkfifo(path)
        elif what == "a folder":
            path.mkdir()
        else:
            path.symlink_to("/dev/zero")
    place = Path(pattern)
    named = place.parent.name if place.name == "*" else place.name
    with pytest.raises(HarnessError, match=re.escape(named)):
        _read_all(store)


def _read_all(store):
    judge = open_stored(store)
    to_text(judge, summarise(judge), Format.HTML)
    load(store, "epoch")


@pytest.fixture
def store(tmp_path):
    make_store(tmp_path)
    return tmp_path / "out"
