"""What a trial's process records of its end; whole ones are run in test_local."""

from __future__ import annotations

import errno

import pytest

from harness.matrix import worker
from harness.matrix.store import Store


def test_what_the_system_refused_is_told_with_what_to_do():
    told = worker._told(OSError(errno.ENOSPC, "No space left on device", "out/work/x/last.pt"))
    assert told == (
        "out/work/x/last.pt: No space left on device\nmake room and run the same command to go on"
    )


def test_other_errors_are_told_by_their_kind():
    assert worker._told(ValueError("it broke")) == "ValueError: it broke"


def test_a_failure_is_recorded_in_one_line(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(SystemExit):
        worker._end(store, "key", "it\n broke", "the log")
    assert store.failure("key").detail == "it broke"
    assert store.failure("key").log == "the log"


def test_one_that_cannot_be_recorded_still_ends_the_process_quietly(tmp_path):
    (tmp_path / "failures").write_text("a file is in the way")
    with pytest.raises(SystemExit) as ended:
        worker._end(Store(tmp_path), "key", "it broke")
    assert ended.value.code == worker.FAILED
