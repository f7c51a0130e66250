"""Machines learn of finished trials from each other's lists, and a listing needs none of them."""

from __future__ import annotations

import pytest

from harness.sharing.index import Index
from harness.sharing.objects import Objects

KEYS = [f"{number:032x}" for number in range(4)]


@pytest.fixture
def objects(url):
    return Objects(url)


def test_what_one_adds_the_other_sees_at_its_next_look(objects):
    one, two = Index(objects), Index(objects)
    one.add(KEYS[0])
    two.look()
    assert two.keys == {KEYS[0]}
    one.add(KEYS[1])
    two.add(KEYS[2])
    for index in (one, two):
        index.look()
    assert one.keys == two.keys == set(KEYS[:3])


def test_only_what_has_changed_is_read_again(objects, monkeypatch):
    one, two, three = (Index(objects) for _ in range(3))
    one.add(KEYS[0])
    three.add(KEYS[1])
    two.look()
    read = []
    monkeypatch.setattr(
        objects, "get_all", lambda places, _: read.extend(places) or [b""] * len(places)
    )
    two.look()
    assert read == []
    three.add(KEYS[2])
    two.look()
    assert len(read) == 1


def test_a_part_that_is_too_large_is_left_out(objects, tmp_path):
    one, two = Index(objects), Index(objects)
    one.add(KEYS[0])
    with (tmp_path / "shared" / "index" / "large.txt").open("wb") as file:
        file.write(KEYS[1].encode())
        file.truncate(1 << 30)
    two.look()
    assert two.keys == {KEYS[0]}


def test_it_is_rebuilt_from_the_trials_themselves(objects):
    one = Index(objects)
    for key in KEYS:
        objects.put(b"", "trials", f"{key}.zip")
    objects.put(b"", "trials", "other.txt")
    objects.put(b"no key\n\xff\n../../up", "index", "damaged.txt")
    one.rebuild()
    one.look()
    assert one.keys == set(KEYS)
