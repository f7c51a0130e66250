"""Several fits give the same bits in processes of their own as one after the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from harness.errors import UsageError
from harness.testing import differences
from harness.training.fit import fit
from harness.training.parallel import fit_each

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="there is a fork on Linux alone")


def members(make_spec, count=3, **more):
    spec = make_spec("lr_finder[steps=10]+swa", model="gin", **more)
    return [spec.member(f"member-{seed}", seed=seed) for seed in range(count)]


@pytest.mark.parametrize("processes", [2, 5])
def test_results_come_in_order_and_do_not_depend_on_processes(make_spec, tmp_path, processes):
    one = fit_each(fit, members(make_spec, folder=tmp_path / "one"))
    many = fit_each(fit, members(make_spec, folder=tmp_path / "many", processes=processes))
    assert len(one) == 3
    assert not differences(one, many)
    assert differences(one[0], one[1])
    for seed in range(3):
        files = [
            {path.name for path in (tmp_path / part / f"member-{seed}").iterdir()}
            for part in ("one", "many")
        ]
        assert files[0] == files[1] >= {"last.pt", "best.pt"}


@ON_LINUX
def test_at_most_so_many_train_at_once_each_in_its_own_process(make_spec, tmp_path):
    (tmp_path / "now").mkdir()

    def watched(spec):
        mark = tmp_path / "now" / str(os.getpid())
        mark.touch()
        most = len(list((tmp_path / "now").iterdir()))
        time.sleep(0.2)
        most = max(most, len(list((tmp_path / "now").iterdir())))
        mark.unlink()
        return os.getpid(), most

    found = fit_each(watched, members(make_spec, 5, processes=2))
    processes = {process for process, _ in found}
    assert len(processes) == 5
    assert os.getpid() not in processes
    assert max(most for _, most in found) == 2


def whose(spec):
    del spec
    return os.getpid()


@pytest.mark.parametrize("change", [{"processes": 1}, {"device": "cuda"}])
def test_one_process_or_a_gpu_stay_here(make_spec, change):
    specs = [replace(spec, **{"processes": 2, **change}) for spec in members(make_spec)]
    assert fit_each(whose, specs) == [os.getpid()] * 3


def test_more_than_one_thread_stays_here(make_spec):
    torch.set_num_threads(2)
    try:
        assert fit_each(whose, members(make_spec, processes=2)) == [os.getpid()] * 3
    finally:
        torch.set_num_threads(1)


def test_nothing_to_fit_gives_nothing():
    assert fit_each(whose, []) == []


def test_an_error_of_one_appears_as_it_is(make_spec):
    specs = members(make_spec, processes=2)
    wrong = replace(specs[1], settings=specs[1].settings.model_copy(update={"epochs": 0}))

    def failing(spec):
        if spec is wrong:
            raise UsageError("planted", mend="none")
        return spec.seed

    with pytest.raises(UsageError, match="planted"):
        fit_each(failing, [specs[0], wrong, specs[2]])


@ON_LINUX
def test_a_process_that_is_killed_is_made_up_for_here(make_spec):
    here = os.getpid()

    def killed(spec):
        if os.getpid() != here and spec.seed == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid()

    found = fit_each(killed, members(make_spec, processes=2))
    assert [one == here for one in found] == [False, True, False]


def test_progress_is_told_in_the_process_that_asked(make_spec):
    told = []
    for processes in (1, 2):
        del told[:]
        specs = members(make_spec, 2, processes=processes, epochs=2)
        progress = partial(fit, on_epoch=lambda record: told.append(record.epoch))
        fit_each(progress, specs)
        assert told == ([0, 1, 0, 1] if processes == 1 or sys.platform != "linux" else [])


SCRIPT = """
import os, sys, time
from dataclasses import replace
from pathlib import Path
import torch
from harness.training.parallel import fit_each
from harness.result import FitSpec
torch.set_num_threads(1)
folder = Path(sys.argv[1])
def sleep(spec):
    (folder / str(os.getpid())).touch()
    time.sleep(60)
fit_each(sleep, [FitSpec(None, None, None, processes=2, seed=k) for k in range(2)])
"""


@ON_LINUX
def test_processes_end_with_the_one_that_asked_for_them(tmp_path):
    asker = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)])
    try:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    finally:
        asker.kill()
        asker.wait()
    wait_until(lambda: not any(map(alive, tmp_path.iterdir())))


def alive(mark):
    """Whether a process runs; one that has ended may still have its entry."""
    try:
        state = Path(f"/proc/{mark.name}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def wait_until(holds, seconds=60.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)
