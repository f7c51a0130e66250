"""Interrupts wait until a process was told all of its work, and then come as they would have."""

from __future__ import annotations

import signal
import threading

import pytest

from harness.matrix.starting import uninterrupted


@pytest.fixture(autouse=True)
def _usual_handler():
    """Python's own, whatever a command that ran in this process left behind."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_comes_after_the_block_and_by_the_handler_that_was_there(number):
    seen = []
    before = signal.signal(number, lambda one, _: seen.append(one))
    try:
        with uninterrupted():
            signal.raise_signal(number)
            signal.raise_signal(number)
            assert seen == []
        assert seen == [number, number]
        signal.raise_signal(number)
        assert len(seen) == 3
    finally:
        signal.signal(number, before)


def test_an_interrupt_that_raises_does_so_after_the_block():
    done = []

    def interrupted():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == [True]


def test_an_error_of_the_block_is_raised_as_it_is():
    def failing():
        with uninterrupted():
            raise LookupError("the block's own")

    with pytest.raises(LookupError, match="the block's own"):
        failing()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_leave_the_handlers_alone():
    found = []

    def look():
        with uninterrupted():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]
