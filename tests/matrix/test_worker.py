"""What a trial's process records of its end; whole ones are run in test_local."""

from __future__ import annotations

import errno

import pytest

from harness.matrix import worker
from harness.matrix.store import Store
from harness.training.checkpoint import DamagedCheckpointError


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


@pytest.fixture
def interrupted(tmp_path):
    """A store with a trial under way: its checkpoint, a folder, its lock and its log."""
    store = Store(tmp_path / "out")
    work = store.work("key")
    (work / "tensorboard").mkdir(parents=True)
    for name in ("last.pt", "best.pt", worker.LOCK, worker.LOG, "tensorboard/events"):
        (work / name).write_text("x")
    return store


def test_a_trial_loses_its_own_damaged_checkpoint_and_keeps_lock_and_log(interrupted):
    work = interrupted.work("key")
    error = DamagedCheckpointError.at(work / "last.pt", "is damaged", mend="delete it")
    with pytest.raises(SystemExit):
        worker._end_without_checkpoint(interrupted, "key", error)
    assert sorted(path.name for path in work.iterdir()) == sorted([worker.LOCK, worker.LOG])
    assert interrupted.failure("key").kind == "damaged"
    assert "last.pt: is damaged" in interrupted.failure("key").detail


def test_a_damaged_file_of_the_users_is_left_to_them(interrupted, tmp_path):
    theirs = tmp_path / "pretrained.pt"
    theirs.write_text("x")
    error = DamagedCheckpointError.at(theirs, "is damaged", mend="delete it")
    with pytest.raises(SystemExit):
        worker._end_without_checkpoint(interrupted, "key", error)
    assert theirs.exists()
    assert (interrupted.work("key") / "last.pt").exists()
    assert interrupted.failure("key").kind == "error"
