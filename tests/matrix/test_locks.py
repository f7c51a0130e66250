"""Trials share the machine; a timed block has it alone."""

from __future__ import annotations

import threading
import time

from harness.matrix import locks


def test_trials_hold_the_machine_together(tmp_path):
    with locks.shared(tmp_path), locks.shared(tmp_path):
        pass


def test_a_timer_waits_for_trials_and_keeps_new_ones_out(tmp_path):
    order = []
    holding, timing = threading.Event(), threading.Event()

    def timer():
        holding.wait()
        with locks.exclusive(tmp_path):
            order.append("timer in")
            timing.set()
            time.sleep(0.2)
            order.append("timer out")

    thread = threading.Thread(target=timer)
    thread.start()
    with locks.shared(tmp_path):
        holding.set()
        time.sleep(0.2)
        order.append("trial out")
    timing.wait()
    with locks.shared(tmp_path):
        order.append("next trial in")
    thread.join()
    assert order == ["trial out", "timer in", "timer out", "next trial in"]


def test_a_trial_is_worked_on_by_one_process(tmp_path):
    order = []

    def second():
        with locks.one_at_a_time(tmp_path / "lock"):
            order.append("second")

    with locks.one_at_a_time(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
