"""A signal that comes while Ray waits is answered when it does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from harness.cluster.held import Held

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture
def answered():
    """What the program's own handlers were called with."""
    numbers = []
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, lambda number, _: numbers.append(number))
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_waits_until_it_is_let_through(answered, number):
    with Held().holding() as let_through:
        os.kill(os.getpid(), number)
        assert answered == []
        let_through()
        assert answered == [number]
        let_through()
    assert answered == [number]


def test_it_reaches_the_handler_that_was_there_before_another_took_its_place(answered):
    held = Held()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))  # as ray.init does
    with held.holding() as let_through:
        os.kill(os.getpid(), signal.SIGTERM)
        let_through()
    assert answered == [signal.SIGTERM]
    os.kill(os.getpid(), signal.SIGTERM)
    assert answered == [signal.SIGTERM] * 2


def test_what_a_handler_raises_comes_out_where_it_is_let_through(answered):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with Held().holding() as let_through:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            let_through()


def test_a_handler_that_was_let_through_may_leave_another(answered):
    def last(number, _):
        answered.append(-number)

    signal.signal(signal.SIGTERM, lambda number, _: signal.signal(number, last))
    with Held().holding() as let_through:
        os.kill(os.getpid(), signal.SIGTERM)
        let_through()
        os.kill(os.getpid(), signal.SIGTERM)
        assert answered == [-signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is last


def test_without_a_handler_the_signal_ends_the_process():
    program = (
        "import os, signal\n"
        "from harness.cluster.held import Held\n"
        "with Held().holding() as let_through:\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('still here', flush=True)\n"
        "    let_through()\n"
        "    print('never here', flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "still here\n")


def test_in_another_thread_nothing_is_held(answered):
    def hold():
        with Held().holding() as let_through:
            let_through()

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    os.kill(os.getpid(), signal.SIGTERM)
    assert answered == [signal.SIGTERM]
