"""A folder from elsewhere is read, and nothing beside it."""

from __future__ import annotations

import pytest

from harness.errors import StoreError
from harness.matrix.inside import Inside


@pytest.fixture
def inside(tmp_path):
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "c.json").write_text('{"x": 1}')
    (root / "a" / ".draft").write_text("x")
    (tmp_path / "secret.json").write_text("{}")
    return Inside(root)


def test_what_is_there_is_read_and_what_is_not_is_none(inside):
    assert inside.json("a", "b", "c.json") == {"x": 1}
    assert inside.read("a", "b", "d.json") is None
    assert inside.read("z", "b", "c.json") is None
    assert inside.names("a") == ["b"]
    assert inside.names("z") == []
    assert inside.files("a") == [("a", "b", "c.json")]


def test_null_is_not_taken_for_no_file(inside, tmp_path):
    (tmp_path / "root" / "null.json").write_text(" null\n")
    with pytest.raises(StoreError, match="nothing but null") as caught:
        inside.json("null.json")
    assert "null.json" in caught.value.where


@pytest.mark.parametrize("parts", [
    ("..", "secret.json"), ("a", "..", "..", "secret.json"), ("../secret.json",), ("",), (".",),
    ("/etc/hostname",), ("a", "b\0"),
])  # fmt: skip
def test_no_name_leads_outside(inside, parts):
    with pytest.raises(StoreError, match="no name of a file"):
        inside.read(*parts)


@pytest.mark.parametrize("place", ["link", "a/link"])
def test_links_are_named_and_not_followed(inside, tmp_path, place):
    link = inside.root / place
    link.symlink_to(tmp_path)
    parts = tuple(place.split("/"))
    for read in (inside.read, inside.names, inside.files):
        with pytest.raises(StoreError, match="symbolic link") as caught:
            read(*parts, *(("secret.json",) if read == inside.read else ()))
        assert caught.value.where == str(link)
    with pytest.raises(StoreError, match="no plain file"):
        Inside(inside.root).files(*parts[:-1]) if parts[:-1] else inside.files()


def test_the_folder_itself_may_be_named_through_a_link(inside, tmp_path):
    (tmp_path / "here").symlink_to(inside.root)
    assert Inside(tmp_path / "here").json("a", "b", "c.json") == {"x": 1}


def test_sizes_are_bounded(inside):
    with pytest.raises(StoreError, match="larger than"):
        inside.read("a", "b", "c.json", most=7)
    assert inside.read("a", "b", "c.json", most=8) is not None


def test_folders_are_neither_files_nor_endless(inside):
    with pytest.raises(StoreError, match="plain file"):
        inside.read("a", "b")
    deep = inside.root / "d"
    for _ in range(7):
        deep /= "d"
    deep.mkdir(parents=True)
    with pytest.raises(StoreError, match="too deep"):
        inside.files("d")
