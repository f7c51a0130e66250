"""The kernel's account of memory, and its peak by sampling."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from benchmarks.memory import sampled, status

MIB = 1 << 20


def test_an_entry_is_read_in_bytes():
    text = "Name:\tx\nVmHWM:\t  2048 kB\nRssAnon:\t 12 kB\n"
    assert (status("VmHWM", text), status("RssAnon", text)) == (2 * MIB, 12 << 10)
    with pytest.raises(ValueError, match="no entry VmNone"):
        status("VmNone", text)


def test_memory_that_is_taken_is_seen_in_this_process():
    before = status("RssAnon")
    taken = np.ones(64 * MIB, np.uint8)
    assert 50 * MIB < status("RssAnon") - before < 80 * MIB
    assert taken.all()


def test_the_peak_is_the_largest_reading_at_the_ends_and_in_between():
    values, seen = iter([5, 9]), threading.Event()

    def read():
        value = next(values, 3)
        if value == 3:
            seen.set()
        return value

    with sampled(read, every=0.001) as peak:
        assert seen.wait(10)
    assert peak.value == 9
