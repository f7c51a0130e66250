from __future__ import annotations

import zipfile
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.graphs.code.graph import MAX_TEXT_BYTES, UnreadableCodeError
from harness.graphs.sources import members
from harness.graphs.sources.members import LINK, UNSAFE, open_members

SUFFIXES = frozenset({".c", ".h"})


def contents(path, counts=None):
    with open_members(path, SUFFIXES, Counter() if counts is None else counts) as found:
        return {member.name: member.read() for member in found}


def make_zip(path, files, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content, **options)
    return path


def test_a_folder_and_an_archive_of_it_are_read_alike(tmp_path):
    files = {"b.c": b"b", "a/x.C": b"x", "a/y.h": b"y", "readme.txt": b"no", "a/z.py": b"no"}
    for name, content in files.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(content)
    archive = make_zip(tmp_path / "all.zip", files)
    expected = {"a/x.C": b"x", "a/y.h": b"y", "b.c": b"b"}
    assert contents(tmp_path / "folder") == contents(archive) == expected
    assert list(contents(archive)) == sorted(expected)


def test_nothing_is_written_anywhere(tmp_path):
    archive = make_zip(tmp_path / "all.zip", {"../out.c": b"x", "in.c": b"y"})
    contents(archive)
    assert [path.name for path in tmp_path.rglob("*")] == ["all.zip"]


@pytest.mark.parametrize("name", ["../x.c", "a/../../x.c", "/etc/x.c", "C:x.c", "a\\..\\x.c"])
def test_a_name_that_leads_out_is_counted_and_not_read(tmp_path, name):
    counts: Counter[str] = Counter()
    archive = make_zip(tmp_path / "all.zip", {"in.c": b"y"})
    with zipfile.ZipFile(archive, "a") as opened:
        entry = zipfile.ZipInfo("placeholder.c")
        entry.filename = name
        opened.writestr(entry, b"x")
    assert contents(archive, counts) == {"in.c": b"y"}
    assert counts == {UNSAFE: 1}


def test_links_are_counted_and_not_followed(tmp_path):
    secret = tmp_path / "secret.c"
    secret.write_bytes(b"secret")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.c").symlink_to(secret)
    (folder / "own.c").write_bytes(b"own")
    (folder / "around").symlink_to(tmp_path)
    counts: Counter[str] = Counter()
    assert contents(folder, counts) == {"own.c": b"own"}
    assert counts == {LINK: 1}
    entry = zipfile.ZipInfo("link.c")
    entry.external_attr = 0o120777 << 16
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(entry, "/etc/passwd")
        opened.writestr("own.c", b"own")
    counts.clear()
    assert contents(archive, counts) == {"own.c": b"own"}
    assert counts == {LINK: 1}


def test_a_bomb_is_no_more_than_a_file_that_is_too_large(tmp_path):
    archive = make_zip(tmp_path / "bomb.zip", {"bomb.c": b"\0" * (64 << 20), "in.c": b"x"})
    assert archive.stat().st_size < 1 << 20
    with open_members(archive, SUFFIXES, Counter()) as found:
        with pytest.raises(UnreadableCodeError, match="longer than 1 MiB"):
            found[0].read()
        assert found[1].read() == b"x"
    (tmp_path / "large.c").write_bytes(b"x" * (MAX_TEXT_BYTES + 1))
    with (
        open_members(tmp_path, SUFFIXES, Counter()) as found,
        pytest.raises(UnreadableCodeError, match="longer than 1 MiB"),
    ):
        found[0].read()


@pytest.mark.parametrize("way", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_the_usual_ways_of_compression_are_read(tmp_path, way):
    with zipfile.ZipFile(tmp_path / "code.zip", "w", way) as archive:
        archive.writestr("a.c", b"int x;" * 100)
    assert contents(tmp_path / "code.zip") == {"a.c": b"int x;" * 100}


def test_an_archive_cannot_declare_how_much_memory_its_decoder_takes(tmp_path):
    path = tmp_path / "code.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.c", b"int x;" * 100)
    with pytest.raises(DataError, match="compressed in a way that is not read") as error:
        contents(path)
    assert error.value.where == f"{path}, a.c"


def test_an_archive_that_declares_too_much_is_refused(tmp_path, monkeypatch):
    archive = make_zip(
        tmp_path / "all.zip", {"a.c": b"x" * 60, "b.c": b"x" * 60, "c.txt": b"x" * 99}
    )
    monkeypatch.setattr(members, "MAX_TOTAL_BYTES", 120)
    assert len(contents(archive)) == 2
    monkeypatch.setattr(members, "MAX_TOTAL_BYTES", 119)
    with pytest.raises(DataError, match="unpacks to more than"):
        contents(archive)
    monkeypatch.setattr(members, "MAX_MEMBERS", 2)
    with pytest.raises(DataError, match="more than 2 files"):
        contents(archive)


def test_no_more_is_read_than_is_declared(tmp_path):
    archive = make_zip(tmp_path / "liar.zip", {"a.c": b"x" * 1000})
    content = archive.read_bytes()
    size = (1000).to_bytes(4, "little")
    assert content.count(size) == 2
    archive.write_bytes(content.replace(size, (10).to_bytes(4, "little")))
    with (
        open_members(archive, SUFFIXES, Counter()) as found,
        pytest.raises(DataError, match="cannot be unpacked"),
    ):
        found[0].read()


def test_two_files_of_one_name_are_refused(tmp_path):
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("a.c", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            opened.writestr("a.c", b"2")
    with pytest.raises(DataError, match=r"two files called 'a\.c'"):
        contents(archive)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\3\4" + b"\0" * 50])
def test_what_is_no_archive_is_named(tmp_path, content):
    path = tmp_path / "all.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"all\.zip: not a zip archive"):
        contents(path)
    with pytest.raises(DataError, match="no such file or folder"):
        contents(tmp_path / "gone")


def test_a_member_without_a_name_is_passed_over(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(""), b"x")
        archive.writestr("a.c", b"int f(void) { return 1; }")
    with open_members(tmp_path / "all.zip", SUFFIXES, Counter()) as found:
        assert [member.name for member in found] == ["a.c"]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_archive_raises_nothing_but_a_data_error(tmp_path, data):
    path = tmp_path / "all.zip"
    if not path.exists():
        make_zip(tmp_path / "all.zip", {"a.c": b"int f(void) { return 1; }" * 9, "d/b.c": b"x"})
    sound = path.read_bytes()
    content = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        path.write_bytes(content)
        with open_members(path, SUFFIXES, Counter()) as found:
            for member in found:
                try:
                    member.read()
                except (DataError, UnreadableCodeError):
                    continue
    except DataError:
        pass
    finally:
        path.write_bytes(sound)
