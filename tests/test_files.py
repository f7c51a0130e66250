"""Files are written whole or not at all, and read with errors that say where."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import files
from harness.errors import DataError
from harness.files import folder_written_whole, read_json, write_json, write_whole


def full(handle):
    raise OSError(28, "No space left on device")


def test_folders_are_made_and_content_is_there(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_a_failure_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as caught:
        write_whole(path, b"new")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_draft_that_cannot_be_made_is_told_of_by_the_files_own_name(tmp_path, monkeypatch):
    def read_only(self, *_):
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "open", read_only)
    with pytest.raises(OSError, match="Read-only") as caught:
        write_whole(tmp_path / "file", b"new")
    assert caught.value.filename == str(tmp_path / "file")


def test_an_interruption_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def interrupted(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_others_may_read_what_the_user_lets_them(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "file", b"x")
        with folder_written_whole(tmp_path / "folder"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o777 & ~umask


def test_json_reads_back_with_its_keys_in_order(tmp_path):
    value = {"b": [1, 2.5, None, True], "a": {"é": "ü"}}
    write_json(tmp_path / "x.json", value)
    read = read_json(tmp_path / "x.json")
    assert read == value
    assert list(read) == ["b", "a"]
    assert (tmp_path / "x.json").read_bytes().endswith(b"}\n")


def test_numbers_that_are_not_finite_are_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", [float("nan")])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"x\.json:1: not JSON: Expecting value \(column 1\)"),
        (b'{"a": 1,\n "b": }', r"x\.json:2: not JSON: Expecting value \(column 7\)"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"9" * 10_000, "not JSON: Exceeds the limit"),
    ],
)
def test_what_is_no_json_is_named_by_its_place(tmp_path, content, message):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_json(path)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("json") / "x.json"
    path.write_bytes(content)
    with suppress(DataError):
        read_json(path)


def test_missing_and_oversized_files_are_named(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"none\.json: cannot be read: No such file"):
        read_json(tmp_path / "none.json")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_json(tmp_path)
    write_json(tmp_path / "x.json", [0] * 100)
    monkeypatch.setattr(files, "MAX_JSON_BYTES", 10)
    with pytest.raises(DataError, match="larger than"):
        read_json(tmp_path / "x.json")


def test_a_folder_takes_its_name_when_the_block_ends(tmp_path):
    path = tmp_path / "deep" / "folder"
    with folder_written_whole(path) as draft:
        (draft / "file").write_text("x")
        assert not path.exists()
    assert (path / "file").read_text() == "x"
    assert [one.name for one in path.parent.iterdir()] == ["folder"]


def test_a_block_that_fails_leaves_nothing(tmp_path):
    def fill():
        with folder_written_whole(tmp_path / "folder") as draft:
            (draft / "file").write_text("x")
            raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_of_two_writers_the_first_one_stays(tmp_path):
    path = tmp_path / "folder"
    with folder_written_whole(path) as slow:
        (slow / "file").write_text("slow")
        with folder_written_whole(path) as quick:
            (quick / "file").write_text("quick")
    assert (path / "file").read_text() == "quick"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_way_is_an_error(tmp_path):
    (tmp_path / "folder").write_text("in the way")
    with pytest.raises(NotADirectoryError), folder_written_whole(tmp_path / "folder"):
        pass
    assert (tmp_path / "folder").read_text() == "in the way"
