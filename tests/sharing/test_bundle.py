"""A bundle gives back the files that it was made of, and nothing that is not one unpacks."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import StoreError
from harness.sharing.bundle import pack, pack_work, unpack

NAMES = st.from_regex(r"[a-z0-9_][a-z0-9._]{0,8}", fullmatch=True)


def _tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _zip(entries, way=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", way) as made:
        for name, content in entries:
            made.writestr(zipfile.ZipInfo(name), content, way)
    return buffer.getvalue()


@given(st.dictionaries(st.tuples(st.sampled_from("ABC"), NAMES), st.binary(max_size=99)))
def test_what_is_packed_comes_out_of_it_the_same(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("trial")
    for (below, name), content in files.items():
        (folder / below).mkdir(exist_ok=True)
        (folder / below / name).write_bytes(content)
    content = pack(folder)
    assert content == pack(folder)
    out = tmp_path_factory.mktemp("out")
    unpack(content, out, "here")
    assert _tree(out) == _tree(folder)


def test_links_hidden_files_and_what_is_not_wanted_stay_behind(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    for name in ("last.pt", "lock", ".draft"):
        (folder / name).write_text(name)
    (folder / "link").symlink_to("/etc/passwd")
    unpack(pack(folder, lambda name: name != "lock"), tmp_path / "out", "here")
    assert list(_tree(tmp_path / "out")) == ["last.pt"]


@pytest.mark.parametrize(
    "name",
    [
        "../up",
        "/etc/up",
        "a/../../up",
        "a\\..\\up",
        ".hidden",
        "a/./b",
        "a//b",
        "/".join("abcdefg"),
        "a" * 201,
        "\N{SNOWMAN}" * 67,
    ],
)
def test_no_file_lands_outside_of_the_folder(tmp_path, name):
    with pytest.raises(StoreError, match="no name of a file"):
        unpack(_zip([("first", b"x"), (name, b"x")]), tmp_path / "out", "here")
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b/c", "a/b"), ("x", "a/b", "a/b/c/d")])
def test_no_name_is_a_file_and_a_folder(tmp_path, names):
    with pytest.raises(StoreError, match="is a file and a folder in it"):
        unpack(_zip([(name, b"x") for name in names]), tmp_path / "out", "here")
    assert list(tmp_path.rglob("*")) == []


def test_a_bomb_does_not_unfold(tmp_path):
    bomb = _zip([("zeros", bytes(1 << 24))], zipfile.ZIP_DEFLATED)
    with pytest.raises(StoreError, match="compressed"):
        unpack(bomb, tmp_path, "here")


def test_members_that_share_bytes_do_not_multiply_them(tmp_path):
    """As in D. Fifield, A better zip bomb, WOOT 2019: many entries point at one file's bytes."""
    content = bytearray(_zip([("a", b"x" * 5000), ("b", b"")]))
    entry = content.rfind(b"PK\x01\x02")
    first = content.find(b"PK\x01\x02")
    for field, width in ((16, 12), (42, 4)):  # checksum and both sizes; place of the local header
        content[entry + field : entry + field + width] = content[
            first + field : first + field + width
        ]
    with pytest.raises(StoreError, match="no bundle"):
        unpack(bytes(content), tmp_path / "out", "here")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "not a zip"),
        (b"PK\x05\x06", "not a zip"),
        (_zip([("a", b"x" * 99)])[:-30], "not a zip"),
        (_zip([(f"f{i}", b"") for i in range(1001)]), "more than 1000 files"),
    ],
)
def test_what_is_no_bundle_is_said(tmp_path, content, what):
    with pytest.raises(StoreError, match=what) as error:
        unpack(content, tmp_path / "out", "s3://bucket/one.zip")
    assert "s3://bucket/one.zip" in str(error.value)


def test_a_file_that_appears_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = _zip([("a", b"x"), ("a", b"y")])
    with pytest.raises(StoreError, match="appears twice"):
        unpack(twice, tmp_path / "out", "here")


def test_work_that_has_a_checkpoint_moves_without_lock_and_log(tmp_path):
    work, there = tmp_path / "work", tmp_path / "there"
    work.mkdir()
    for name in ("lock", "worker.log", "state.json"):
        (work / name).write_text(name)
    assert pack_work(work) is None
    assert pack_work(tmp_path / "none") is None
    (work / "last.pt").write_bytes(b"weights")
    unpack(pack_work(work) or b"", there, "here")
    assert _tree(there) == {"last.pt": b"weights", "state.json": b"state.json"}
