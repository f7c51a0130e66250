"""Objects in a folder, and in a bucket of a server on loopback."""

from __future__ import annotations

import os

import pytest

from harness.errors import StoreError, UsageError
from harness.sharing.objects import AT_ONCE, SMALL, Objects, TooLargeError, is_url

MOST = 1 << 20


@pytest.fixture(params=["folder", "bucket"])
def objects(request, url):
    return Objects(url if request.param == "folder" else request.getfixturevalue("s3")())


def test_what_is_put_is_got_and_listed(objects):
    objects.put(b"one", "trials", "a.zip")
    objects.put(b"two", "trials", "b.zip")
    objects.put(b"deeper", "trials", "below", "c.zip")
    objects.put(b"elsewhere", "other", "d.zip")
    assert sorted(objects.versions("trials")) == ["a.zip", "b.zip"]
    assert objects.versions("nothing") == {}
    assert objects.get_all([("trials", "b.zip"), ("no", "x"), ("trials", "a.zip")], MOST) == [
        b"two", None, b"one",
    ]  # fmt: skip
    objects.delete("trials", "a.zip")
    objects.delete("trials", "a.zip")
    assert objects.get("trials", "a.zip", most=MOST) is None


def test_many_are_got_some_at_a_time_in_their_order_and_those_that_are_gone_are_passed_over(url):
    objects = Objects(url)
    names = [f"{number}.json" for number in range(AT_ONCE + 3)]
    for name in names[::2]:
        objects.put(name.encode(), "blocks", name)
    found = list(objects.each((("blocks", name) for name in names), MOST))
    assert found == [(("blocks", name), name.encode()) for name in names[::2]]


def test_of_an_object_that_is_too_large_nothing_is_read(objects):
    objects.put(b"x" * 100, "blocks", "a.json")
    assert objects.get("blocks", "a.json", most=100) == b"x" * 100
    with pytest.raises(TooLargeError, match="has 100 bytes, of 99 at most") as error:
        objects.get("blocks", "a.json", most=99)
    assert objects.address("blocks", "a.json") in str(error.value)


def test_what_is_no_file_is_no_object(url, tmp_path):
    objects = Objects(url)
    objects.put(b"one", "trials", "a.zip")
    folder = tmp_path / "shared" / "trials"
    os.mkfifo(folder / "pipe.zip")
    (folder / "folder.zip").mkdir()
    (folder / "nowhere.zip").symlink_to("nowhere")
    (folder / "zeros.zip").symlink_to("/dev/zero")
    assert list(objects.versions("trials")) == ["a.zip"]
    for name in ("pipe.zip", "folder.zip", "nowhere.zip", "zeros.zip"):
        assert objects.get("trials", name, most=MOST) is None


def test_a_large_object_stands_in_its_place_and_one_that_is_too_large_as_the_error(url, tmp_path):
    objects = Objects(url)
    sizes = {"a": 5, "b": SMALL + 1, "c": 10 << 30, "d": SMALL, "e": SMALL + 2}
    for name, size in sizes.items():
        objects.put(b"", "trials", name)
        with (tmp_path / "shared" / "trials" / name).open("wb") as file:
            file.truncate(size)
    found = list(objects.each((("trials", name) for name in sizes), 2 * SMALL))
    assert [name for (_, name), _ in found] == list(sizes)
    assert isinstance(dict(found)["trials", "c"], TooLargeError)
    assert all(
        len(content) == sizes[name] for (_, name), content in found if isinstance(content, bytes)
    )


def test_large_objects_are_held_one_at_a_time(url, monkeypatch):
    objects = Objects(url)
    for name in "abc":
        objects.put(name.encode() * (SMALL + 1), "trials", name)
    asked = []
    get = Objects.get

    def watched(self, *parts, most):
        content = get(self, *parts, most=most)
        asked.append(parts[1])
        return content

    monkeypatch.setattr(Objects, "get", watched)
    for number, _ in enumerate(objects.each((("trials", name) for name in "abc"), 2 * SMALL)):
        assert asked == list("abc")[: number + 1]


def test_a_version_changes_with_the_content(objects):
    objects.put(b"one", "claims", "a.json")
    before = objects.versions("claims")
    assert objects.versions("claims") == before
    objects.put(b"two", "claims", "a.json")
    assert objects.versions("claims") != before


def test_only_the_first_writes_a_new_object(objects):
    assert objects.put_new(b"mine", "claims", "a.json")
    assert not objects.put_new(b"yours", "claims", "a.json")
    assert objects.get("claims", "a.json", most=MOST) == b"mine"


def test_a_folder_that_cannot_be_written_is_named(url, tmp_path):
    objects = Objects(url)
    (tmp_path / "shared" / "trials").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match=r"cannot be reached: .*\n?.*") as error:
        objects.put(b"one", "trials", "a.zip")
    assert "shared/trials/a.zip" in str(error.value)


@pytest.mark.parametrize(
    "url", ["results", "/results", "ftp://host/x", "http://host/x", "s3:/x", ""]
)
def test_what_is_no_address_of_objects_is_refused(url):
    with pytest.raises(UsageError, match="is no address of objects") as error:
        Objects(url)
    assert f"'{url}'" in str(error.value)


def test_a_folders_url_is_decoded(tmp_path):
    folder = tmp_path / "a b%#?"
    Objects(folder.as_uri()).put(b"one", "trials", "a.zip")
    assert (folder / "trials" / "a.zip").read_bytes() == b"one"
    there = Objects(folder.as_uri().replace("file://", "file://localhost"), make=False)
    assert there.get("trials", "a.zip", most=MOST) == b"one"


@pytest.mark.parametrize("url", ["file://folder", "file://folder/below"])
def test_a_folder_begins_at_the_root(url):
    with pytest.raises(UsageError, match=r"from the root(?s:.*)three slashes"):
        Objects(url)


def test_who_only_reads_makes_no_folder(url, tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        Objects(url, make=False)
    assert not (tmp_path / "shared").exists()


def test_urls_and_paths_are_told_apart():
    assert is_url("s3://bucket/x")
    assert not is_url("./s3/x")
    assert not is_url("C:/x")
