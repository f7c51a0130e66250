"""A bucket under load and faults: several writers, torn uploads, errors, ten thousand trials."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.errors import StoreError
from harness.sharing.index import Index
from harness.sharing.objects import Objects
from tests.sharing.s3_server import breaking

MOST = 1 << 20


def test_of_many_writers_one_makes_a_new_object(s3):
    url = s3()

    def write(number):
        return Objects(url).put_new(f"{number}".encode(), "claims", "one.json")

    with ThreadPoolExecutor(16) as pool:
        first = [number for number, won in enumerate(pool.map(write, range(64))) if won]
    written = Objects(url).get("claims", "one.json", most=MOST)
    assert [f"{number}".encode() for number in first] == [written]


def test_of_an_upload_that_is_torn_nothing_is_seen(s3, s3_server):
    objects = Objects(s3())
    objects.put(b"old", "trials", "a.zip")
    folder = objects.url.removeprefix("s3:/")
    for name in ("a.zip", "b.zip"):
        with socket.create_connection(s3_server) as torn:
            head = f"PUT {folder}/trials/{name} HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n"
            torn.sendall(head.encode() + b"half of it")
    time.sleep(0.2)
    assert objects.get("trials", "a.zip", most=MOST) == b"old"
    assert list(objects.versions("trials")) == ["a.zip"]


@pytest.mark.parametrize("how", ["503", "cut"])
def test_what_fails_twice_is_asked_a_third_time(s3, s3_server, how):
    def broken(method, path, count):
        return (
            how
            if "trials/a.zip" in path and count <= 2 and (how == "503" or method == "GET")
            else ""
        )

    with breaking(s3_server, broken) as (address, counts):
        objects = Objects(s3(address))
        objects.put(b"content" * 100, "trials", "a.zip")
        assert objects.get("trials", "a.zip", most=MOST) == b"content" * 100
    assert sum(counts.values()) >= 4


def test_a_server_that_is_gone_is_said(s3):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        objects = Objects(s3(nobody.getsockname()))
        with pytest.raises(StoreError, match="cannot be reached") as error:
            objects.versions("trials")
    assert "s3://tests/" in str(error.value)


@pytest.mark.slow
def test_ten_thousand_trials_are_listed_by_pages_and_indexed_by_one_object(s3):
    objects = Objects(s3())
    keys = [f"{number:032x}" for number in range(10_000)]
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda key: objects.put(b"x", "trials", f"{key}.zip"), keys))
    objects.put("\n".join(keys).encode(), "index", "one.txt")
    listed, looked = Index(objects), Index(objects)
    listed.rebuild()
    looked.look()
    assert listed.keys == looked.keys == set(keys)
