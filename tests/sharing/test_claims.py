"""A claim lives while it changes, by the looker's own clock."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest

from harness.sharing.claims import LIFETIME, RENEWAL, Claims, Owner
from harness.sharing.objects import Objects

MOST = 1 << 10


@pytest.fixture
def machine(url):
    """Claims of another machine each time, with a clock of its own: ``machine("a", 0.0)``."""

    def make(name, now=0.0, pid=1):
        clock = SimpleNamespace(now=now)
        return Claims(Objects(url), Owner(name, pid, name), lambda: clock.now), clock

    return make


def test_one_of_two_gets_a_trial_and_the_other_sees_it(machine):
    (one, _), (two, _) = machine("one"), machine("two", now=5000.0)
    assert one.take("key")
    assert not two.take("key")
    assert two.look() == {"key"}
    assert one.look() == set()
    one.release("key")
    assert two.look() == set()
    assert two.take("key")


def test_a_claim_that_is_renewed_stays_alive_and_one_that_is_not_dies(machine):
    (one, first), (two, second) = machine("one"), machine("two", now=777.0)
    one.take("key")
    for _ in range(6):
        assert two.look() == {"key"}
        first.now += RENEWAL
        second.now += LIFETIME - 1
        one.renew()
    assert two.look() == {"key"}
    second.now += LIFETIME + 1
    assert two.look() == set()
    assert two.take("key")
    assert json.loads(two.objects.get("claims", "key.json", most=MOST))["host"] == "two"


def test_renewing_is_done_once_in_a_while(machine):
    one, clock = machine("one", now=1000.0)
    one.take("key")
    before = one.objects.versions("claims")
    one.renew()
    assert one.objects.versions("claims") != before
    before = one.objects.versions("claims")
    clock.now += RENEWAL - 1
    one.renew()
    assert one.objects.versions("claims") == before


def test_a_process_of_this_machine_that_has_ended_holds_nothing(machine, url):
    ended = 2**22 - 7  # beyond what this system gives out, or ended long ago
    (dead, _), (alive, _) = machine("host", pid=ended), machine("host", pid=os.getpid())
    dead.take("left behind")
    alive.take("held")
    other, _ = machine("host", pid=os.getpid())
    other.owner = replace(other.owner, token="another")  # noqa: S106 - no secret
    assert other.look() == {"held"}
    assert other.take("left behind")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b'"text"', b'{"host": "host", "pid": "x"}', b"\xff", b"[" * 5000,
        b'{"host": "host", "pid": Infinity}', b'{"host": "host", "pid": 1e400}',
        b'{"host": "host", "pid": NaN}', b'{"host": "host", "pid": 1' + b"0" * 400 + b"}",
        b'{"host": "host", "pid": null}', b'{"host": "host", "pid": 4194297}' + b" " * (1 << 20),
    ],
)  # fmt: skip
def test_a_claim_that_cannot_be_read_counts_as_somebody_s(machine, content):
    one, clock = machine("host")
    one.objects.put(content, "claims", "key.json")
    assert one.look() == {"key"}
    clock.now += LIFETIME + 1
    assert one.look() == set()
