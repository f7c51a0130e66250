from __future__ import annotations

import csv
import zipfile

import numpy as np
import pytest

from harness.errors import DataError
from harness.graphs.catalog import resolve
from harness.graphs.dataset import save, verify
from harness.graphs.sources.base import silent
from harness.graphs.sources.code_folder import CodeFolder
from harness.graphs.splits import split_by_seed


def function(number: int, name: str | None = None) -> str:
    return f"int {name or f'f{number}'}(int a) {{ return a + {number}; }}"


@pytest.fixture
def folder(tmp_path):
    """Writes files into a folder."""

    def write(files: dict[str, str | bytes]):
        for name, content in files.items():
            path = tmp_path / "code" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "code"

    return write


def zipped(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.c")):
            archive.write(file, f"inside/{file.relative_to(folder)}")
    return path


def build(path, **options):
    return CodeFolder(path=path, **options).build(silent)


GROUPS = "file,label,group,usable\na.c,1,g1,1\nb.c,0,g1,1\nc.c,0,g2,1\nd.c,1,,0\ngone.c,1,g9,1\n"
FILES = {f"{name}.c": function(number) for number, name in enumerate("abcde")}


def test_label_and_group_come_from_the_groups_file(folder):
    graphs = build(folder({**FILES, "groups.csv": GROUPS}))
    assert sorted(zip(graphs.label.tolist(), graphs.group.tolist(), strict=True)) == [
        (0, 0),
        (0, 1),
        (1, 0),
    ]
    assert graphs.info.counts == {
        "read": 5,
        "kept": 3,
        "not in the groups file": 1,
        "not usable, says the groups file": 1,
    }


def test_an_archive_is_read_like_its_folder_and_leaves_no_file(folder, tmp_path):
    path = folder({**FILES, "groups.csv": GROUPS})
    archive = zipped(path, tmp_path / "all.zip")
    before = set(tmp_path.rglob("*"))
    by_archive = build(archive, groups=path / "groups.csv")
    assert by_archive == build(path)
    assert set(tmp_path.rglob("*")) == before


def test_a_folder_of_one_archive_and_a_groups_file_stands_for_the_archive(folder, tmp_path):
    path = folder({**FILES, "groups.csv": GROUPS})
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    zipped(path, bundle / "all.zip")
    (bundle / "groups.csv").write_text(GROUPS)
    (bundle / "SOURCE.txt").write_text("where it is from")
    source = resolve(str(bundle))
    assert isinstance(source, CodeFolder)
    assert source.title == "bundle"
    assert source.build(silent) == build(path)


def test_without_a_groups_file_the_name_tells_label_and_the_function_the_group(folder):
    files = {
        "x_1.c": function(1, "same"),
        "sub/y_0.cpp": function(2, "same"),
        "z_0.c": function(3, "other"),
        "TEST_1.cc": "TEST(A, b) { f(); }",
        "u_0.cc": "TEST(A, c) { f(); }",
        "odd_2.c": function(4),
        "odd.c": function(5),
        "notes_1.txt": "nothing",
    }
    graphs = build(folder(files))
    counts = {"read": 7, "kept": 5, "the file's name does not end in a label": 2}
    assert graphs.info.counts == counts
    assert len(set(graphs.group.tolist())) == 4
    assert graphs.label.sum() == 2


def test_a_base_name_of_two_files_must_be_told_apart(folder):
    files = {"p/a.c": function(1), "q/a.c": function(2), "b.c": function(3)}
    one = folder({**files, "groups.csv": "file,label,group\na.c,1,g\nb.c,0,h\n"})
    with pytest.raises(DataError, match=r"groups\.csv: field 'file': 2 files are called 'a\.c'"):
        build(one)
    told = folder({"groups.csv": "file,label,group\np/a.c,1,g\nq/a.c,0,h\nb.c,0,h\n"})
    assert build(told).label.sum() == 1
    assert len(build(told)) == 3


def test_a_groups_file_of_another_folder_is_refused(folder):
    path = folder({**FILES, "groups.csv": "file,label,group\nother.c,1,g\n"})
    with pytest.raises(DataError, match="names none of the files that are there"):
        build(path)


def test_unreadable_files_are_counted_by_reason(folder):
    files = {
        "a_1.c": function(1),
        "b_0.c": function(2),
        "c_0.c": "x" * (1 << 21),
        "d_0.c": "x; " * 20_000,
        "e_0.c": "a<b<c>(d)," * 20_000,
        "f_0.c": b"\xff\xfe\x00",
    }
    counts = build(folder(files)).info.counts
    assert counts == {
        "read": 6,
        "kept": 3,
        "the text is longer than 1 MiB": 1,
        "the graph has more than 10000 nodes": 1,
        "the text is too much for the parser": 1,
    }


def damaged(archive, name):
    content = archive.read_bytes()
    with zipfile.ZipFile(archive) as opened:
        start = opened.getinfo(f"inside/{name}").header_offset + 30 + len(f"inside/{name}")
    archive.write_bytes(content[:start] + b"\xff\xff\xff" + content[start + 3 :])
    return archive


def test_a_damaged_file_of_an_archive_is_counted_or_named(folder, tmp_path):
    files = {f"{name}_{number % 2}.c": function(number) for number, name in enumerate("abcd")}
    archive = damaged(zipped(folder(files), tmp_path / "all.zip"), "b_1.c")
    counts = build(archive).info.counts
    assert counts == {"read": 4, "kept": 3, "broken: the file cannot be unpacked (first: b_1.c)": 1}
    with pytest.raises(DataError, match=r"all\.zip, inside/b_1\.c: the file cannot be unpacked"):
        build(archive, strict=True)


def test_an_archive_that_is_mostly_damaged_is_refused(folder, tmp_path):
    files = {f"{name}_{number % 2}.c": function(number) for number, name in enumerate("abc")}
    archive = zipped(folder(files), tmp_path / "all.zip")
    for name in ("a_0.c", "c_0.c"):
        damaged(archive, name)
    with pytest.raises(DataError, match="2 of 3 files cannot be read"):
        build(archive)


def test_the_key_follows_files_groups_and_options(folder, tmp_path):
    path = folder({**FILES, "groups.csv": GROUPS})
    key = CodeFolder(path=path).key()
    assert CodeFolder(path=path).key() == key
    assert CodeFolder(path=path, dialect="c").key() != key
    folder({"a.c": function(77)})
    changed = CodeFolder(path=path).key()
    assert changed != key
    folder({"groups.csv": GROUPS.replace("g2", "g3")})
    assert CodeFolder(path=path).key() != changed
    archive = zipped(path, tmp_path / "all.zip")
    assert CodeFolder(path=archive).key() != CodeFolder(path=path).key()


def test_a_missing_path_is_named(tmp_path):
    source = CodeFolder(path=tmp_path / "gone")
    for action in (source.key, lambda: source.build(silent)):
        with pytest.raises(DataError, match="gone: no such file or folder"):
            action()


def test_the_real_reveal_set_is_read_as_it_is(reveal, tmp_path):
    source = resolve(str(reveal))
    told = []
    graphs = source.build(lambda *state: told.append(state))
    assert source.title == graphs.info.name == "reveal_chrome"
    with (reveal / "groups.csv").open() as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    counts = dict(graphs.info.counts)
    assert counts.pop("read") == len(rows) == sum(counts.values())
    unusable = sum(row["usable"] == "0" for row in rows.values())
    assert counts["not usable, says the groups file"] == unusable
    usable = [row for row in rows.values() if row["usable"] == "1"]
    left_out = len(usable) - len(graphs)
    assert 0 <= left_out < 10, "all but the few whose syntax is the same"
    assert abs(int(graphs.label.sum()) - sum(int(row["label"]) for row in usable)) <= left_out
    assert len(np.unique(graphs.group)) <= len({row["group"] for row in usable})
    assert told[-1] == (len(rows), len(rows), "files")
    verify(save(graphs, tmp_path / "set"), tmp_path / "set")
    split = split_by_seed(graphs.label, graphs.group, 0)
    assert not set(graphs.group[split.gate]) & set(graphs.group[split.train])
