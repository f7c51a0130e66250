"""Who is alive: a lock goes with its process, even by kill -9."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from harness.tuning.alive import Workers

HOLD = """
import sys, time
from pathlib import Path
from harness.tuning.alive import Workers
workers = Workers(Path(sys.argv[1]))
with workers.present():
    print(workers.me, flush=True)
    time.sleep(60)
"""


def test_a_worker_is_there_while_it_works(tmp_path):
    one, other = Workers(tmp_path / "w"), Workers(tmp_path / "w")
    with one.present():
        assert not other.gone(one.me)
    assert other.gone(one.me)
    assert list((tmp_path / "w").iterdir()) == []


def test_a_killed_worker_is_gone(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    )
    try:
        token = process.stdout.readline().strip()
        assert not Workers(tmp_path).gone(token)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert Workers(tmp_path).gone(token)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("token", ["../../etc/passwd", "", None, 7, "f" * 31])
def test_what_is_no_token_names_no_file_and_nobody(tmp_path, token):
    assert Workers(tmp_path).gone(token)
    assert list(tmp_path.iterdir()) == []


def test_i_am_not_gone_and_without_a_folder_nobody_can_be_said_to_be(tmp_path):
    workers = Workers(tmp_path)
    assert not workers.gone(workers.me)
    assert not Workers(None).gone("f" * 32)
