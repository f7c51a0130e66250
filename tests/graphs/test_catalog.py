from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest
from filelock import FileLock
from pydantic import Field

from harness.errors import DataError, UsageError
from harness.graphs import catalog
from harness.graphs.catalog import check, describe, load, resolve, stored, summarise
from harness.graphs.dataset import open_folder, save
from harness.graphs.sources import SOURCES, Source
from harness.graphs.sources.code_folder import CodeFolder
from harness.graphs.sources.devign import Devign
from harness.graphs.sources.inverted_guard import InvertedGuard
from harness.graphs.sources.packed import Packed
from harness.graphs.sources.streamguard import StreamGuard
from harness.graphs.sources.sven import Sven

SMALL = "inverted_guard[limit=20,packages=json]"


@pytest.fixture
def devign_file(tmp_path):
    path = tmp_path / "some.jsonl"
    lines = [
        {"func": f"int f{n}(int a) {{ return a + {n}; }}", "target": n % 2, "commit_id": n}
        | {"project": "p", "commit_id": str(n)}
        for n in range(12)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def jsonl(path: Path, **record) -> Path:
    path.write_text(json.dumps(record))
    return path


def test_a_selection_means_its_source():
    assert resolve(SMALL) == InvertedGuard(packages="json", limit=20)
    assert resolve("devign[path=x.jsonl]") == Devign(path=Path("x.jsonl"))


def test_a_paths_format_is_detected(tmp_path, make_graphs):
    packed = save(make_graphs(), tmp_path / "set").folder
    code = tmp_path / "code"
    (code / "deep").mkdir(parents=True)
    (code / "deep" / "a_1.cc").write_text("int f() { return 1; }")
    sven = tmp_path / "sven.json.xz"
    sven.touch()
    devign = jsonl(tmp_path / "d.jsonl", func="f", target=1, project="p", commit_id="c")
    stream = jsonl(tmp_path / "s.jsonl", ast_nodes=["A"], edge_index=[], label=1)
    by_func = jsonl(tmp_path / "f.jsonl", func="f", target=1, ast_nodes=["A"], edge_index=[])
    by_code = jsonl(tmp_path / "c.jsonl", code="f", label=0)
    expected = {
        packed: Packed,
        code: CodeFolder,
        sven: Sven,
        devign: Devign,
        stream: StreamGuard,
        by_func: StreamGuard,
        by_code: StreamGuard,
    }
    for path, kind in expected.items():
        assert resolve(str(path)) == kind(path=path)


def test_a_home_folder_is_written_out(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = jsonl(tmp_path / "d.jsonl", func="f", target=1)
    assert resolve("~/d.jsonl") == Devign(path=path)


def test_a_name_wins_over_a_file_and_a_dot_makes_it_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inverted_guard").mkdir()
    (tmp_path / "inverted_guard" / "a_1.c").write_text("int f() {}")
    assert resolve("inverted_guard") == InvertedGuard()
    assert isinstance(resolve("./inverted_guard"), CodeFolder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no data set is named"),
        ("inverted_gard", "did you mean inverted_guard"),
        ("no/such/path.jsonl", "is no data source and no path that exists"),
        ("what is this?", "is no data source and no path that exists"),
        ("a" * 5000, "there is no source|no data source"),
        ("bad\0name", "is no data source and no path that exists"),
        ("devign[path=x", "is no data source and no path that exists"),
        ("devign[speed=3]", "field 'speed'"),
    ],
)
def test_what_means_nothing_is_an_error_that_says_what_there_is(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        resolve(text)
    assert "inverted_guard" in str(caught.value) or "its fields are" in str(caught.value)


@pytest.mark.parametrize("name", ["a.txt", "b.jsonl", "c.zip", "d"])
def test_a_path_of_no_known_format_is_an_error(tmp_path, name):
    path = tmp_path / name
    if name == "d":
        path.mkdir()
    else:
        path.write_text('{"other": 1}')
    with pytest.raises(DataError, match="its format is not known"):
        resolve(str(path))


def test_a_path_that_two_sources_read_must_be_told_apart(tmp_path, make_graphs):
    folder = save(make_graphs(), tmp_path / "set").folder
    (folder / "a_1.c").write_text("int f() {}")
    with pytest.raises(DataError, match="as code_folder or as packed") as caught:
        resolve(str(folder))
    assert f"code_folder[path={folder}]" in str(caught.value)


def test_a_set_is_built_once_and_then_opened(devign_file, tmp_path, monkeypatch):
    root = tmp_path / "root"
    told = []
    graphs = load(str(devign_file), root, lambda *state: told.append(state))
    assert told
    assert graphs.folder.parent == root
    assert graphs.folder.name == f"some-{resolve(str(devign_file)).key()}"
    assert graphs.info.name == "some"
    monkeypatch.setattr(Devign, "build", lambda *_: pytest.fail("built for the second time"))
    assert load(f"devign[path={devign_file}]", root) == graphs
    assert check(graphs) == graphs.folder


def test_a_changed_input_is_another_set(devign_file, tmp_path):
    first = load(str(devign_file), tmp_path / "root")
    devign_file.write_text(devign_file.read_text().replace("a + 3", "a - 3"))
    second = load(str(devign_file), tmp_path / "root")
    assert first.content != second.content
    assert len({entry.folder for entry in stored(tmp_path / "root")}) == 2


def test_a_packed_set_is_checked_and_opened_where_it_is(make_graphs, tmp_path):
    folder = save(make_graphs(), tmp_path / "set").folder
    assert load(str(folder), tmp_path / "root").folder == folder
    assert not (tmp_path / "root").exists()
    assert resolve(str(folder)).key() == open_folder(folder).content[:16]
    label = folder / "label.npy"
    label.write_bytes(label.read_bytes()[:-1] + b"\1")
    with pytest.raises(DataError, match="damaged"):
        load(str(folder), tmp_path / "root")


@pytest.mark.parametrize("text", ["devign[path=gone.jsonl]", "code_folder[path=gone]",
                                  "sven[path=gone.json]", "streamguard[path=gone.jsonl]",
                                  "packed[path=gone]"])  # fmt: skip
def test_a_missing_input_is_named(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="gone"):
        load(text, tmp_path / "root")
    assert stored(tmp_path / "root") == []


def test_a_root_that_cannot_be_is_named(devign_file, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file/root: cannot be made a folder"):
        load(str(devign_file), tmp_path / "file" / "root")


def test_a_build_that_fails_leaves_nothing_and_the_next_one_works(
    devign_file, tmp_path, monkeypatch
):
    root = tmp_path / "root"

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Devign, "build", fail)
        with pytest.raises(KeyboardInterrupt):
            load(str(devign_file), root)
    assert stored(root) == []
    assert len(load(str(devign_file), root)) == 12


LOAD = (
    "import sys; from pathlib import Path; from harness.graphs.catalog import load\n"
    "load(sys.argv[1], Path(sys.argv[2]), lambda *state: print(*state, flush=True))\n"
)


def start(text, root, code=LOAD):
    return subprocess.Popen(
        [sys.executable, "-c", code, text, str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_two_processes_that_ask_at_once_build_once(tmp_path):
    processes = [start(SMALL, tmp_path) for _ in range(2)]
    told = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    builders = [out for out, _ in told if "files" in out]
    assert len(builders) == 1, told
    assert len(stored(tmp_path)) == 1


# Stops in the middle of writing: some arrays are there, and the description is not.
KILLED = (
    "import os, signal, harness.graphs.dataset as dataset\n"
    "dataset.write_json = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
) + LOAD


def test_a_build_killed_half_way_leaves_nothing_that_is_believed(tmp_path):
    with start(SMALL, tmp_path, KILLED) as killed:
        killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    drafts = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(drafts) == 1
    assert list(drafts[0].glob("*.npy"))
    assert stored(tmp_path) == []
    graphs = load(SMALL, tmp_path)
    assert check(graphs) == graphs.folder
    assert not drafts[0].exists(), "what the killed build left is gone"


def test_who_waits_for_another_builder_says_so(tmp_path):
    source = resolve(SMALL)
    with FileLock(tmp_path / f".{source.title}-{source.key()}.lock"):
        waiting = start(SMALL, tmp_path)
        assert waiting.stdout.readline() == "0 0 waiting for the process that builds it\n"
        assert waiting.poll() is None
        time.sleep(0.1)
        assert stored(tmp_path) == []
    waiting.communicate(timeout=120)
    assert waiting.returncode == 0
    assert len(stored(tmp_path)) == 1


def test_a_damaged_set_is_listed_as_one_and_says_what_to_do(devign_file, tmp_path):
    root = tmp_path / "root"
    folder = load(str(devign_file), root).folder
    (entry,) = stored(root)
    assert entry.info.name == "some"
    assert (entry.graphs, entry.damage) == (12, "")
    assert entry.size == sum(path.stat().st_size for path in folder.iterdir())
    (folder / "label.npy").write_bytes(b"")
    (entry,) = stored(root)
    assert entry.info is None
    assert "label.npy" in entry.damage
    with pytest.raises(DataError, match="delete the data set's folder"):
        load(str(devign_file), root)


def test_a_summary_counts_what_is_there(make_graphs, tmp_path):
    graphs = make_graphs(60)
    summary = summarise(graphs)
    assert summary.graphs == 60
    assert summary.positive_share == pytest.approx(graphs.label.mean())
    assert summary.groups == len(set(graphs.group.tolist()))
    sizes = sorted(graphs.num_nodes.tolist())
    assert sizes[28] <= summary.nodes_p50 <= sizes[31]
    assert sum(summary.tags["language"].values()) == 60
    folder = save(graphs, tmp_path / "set").folder
    on_disk = sum(path.stat().st_size for path in folder.glob("*.npy"))
    headers = 128 * len(list(folder.glob("*.npy")))
    assert summary.bytes_per_graph * 60 == on_disk - headers
    text = "\n".join(describe(graphs))
    assert "60 graphs" in text
    assert "40 kept" not in text
    assert "60 kept" in text
    assert f"{graphs.label.mean():.1%} vulnerable" in text


def test_a_set_in_memory_cannot_be_checked(make_graphs):
    with pytest.raises(DataError, match="in memory alone"):
        check(make_graphs())


@pytest.mark.usefixtures("own_sources")
def test_a_third_partys_source_is_found_like_any_other(tmp_path, make_graphs):
    class Mine(Source):
        """Random graphs, by their number."""

        name: ClassVar[str] = "mine"
        count: int = Field(30, ge=1, description="number of graphs")

        def key(self):
            return self.key_of(str(self.count), {})

        def build(self, progress):
            progress(1, 1, "graphs")
            return make_graphs(self.count)

    SOURCES.add("mine", Mine)
    graphs = catalog.load("mine[count=7]", tmp_path)
    assert len(graphs) == 7
    assert graphs.folder.name.startswith("mine-")
