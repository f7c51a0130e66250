"""A process per trial: a crash, a kill or a time-out costs one trial and is recorded as such."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.matrix.local import LocalExecutor


@pytest.fixture
def run_trial(make_judge, packed, plugin):
    """Run a feature's first candidate trial in a process; gives (judge, key, outcome)."""
    executors = []

    def run(feature, timeout=120.0):
        judge = make_judge(feature)
        key = judge.plan.features[0].cells[0].candidate[0]
        executor = LocalExecutor(judge.store, 1, timeout, (plugin,))
        executors.append(executor)
        executor.start(judge.plan.trials[key], packed[1])
        outcomes = []
        while not outcomes:
            outcomes = executor.wait()
        return judge, key, outcomes[0]

    yield run
    for executor in executors:
        executor.stop()


def test_a_trial_leaves_its_result(run_trial):
    judge, key, outcome = run_trial("planted_noop")
    assert outcome.status == "finished"
    result = judge.store.result(key)
    assert result.epochs == 3
    assert judge.store.gate(result) is not None
    assert judge.store.history_file(key).exists()
    assert not judge.store.work(key).exists()


@pytest.mark.parametrize(
    ("way", "status", "detail"),
    [
        ("raise", "error", "RuntimeError: planted crash"),
        ("kill", "killed", "SIGKILL"),
        ("exit", "error", "code 7"),
        ("hang", "timeout", "stopped after 8 s"),
    ],
)
def test_every_way_to_end_badly_is_recorded(run_trial, way, status, detail):
    timeout = 8 if way == "hang" else 120
    judge, key, outcome = run_trial(f"planted_crash[way={way}]", timeout)
    assert outcome.status == status
    assert detail in judge.store.failure(key).detail
    assert not judge.store.finished(key)


def test_a_killed_trial_goes_on_from_its_checkpoint(run_trial, tmp_path):
    mark = tmp_path / "killed"
    feature = f'planted_kill_once[mark="{mark}"]'
    _, _, first = run_trial(feature)
    assert first.status == "killed"
    judge, key, second = run_trial(feature)
    assert second.status == "finished"
    killed = judge.store.result(key)
    assert killed.epochs == 3
    undisturbed, other, _ = run_trial("planted_noop")
    assert killed.f1 == undisturbed.store.result(other).f1


def test_a_trial_whose_checkpoint_was_damaged_says_so_and_begins_anew(run_trial, tmp_path):
    feature = f'planted_kill_once[mark="{tmp_path / "killed"}"]'
    judge, key, _ = run_trial(feature)
    last = judge.store.work(key) / "last.pt"
    content = last.read_bytes()
    last.write_bytes(content[: len(content) // 2] + b"?" + content[len(content) // 2 + 1 :])
    _, _, second = run_trial(feature)
    assert second.status == "damaged"
    assert str(last) in judge.store.failure(key).detail
    assert not last.exists()
    _, _, third = run_trial(feature)
    assert third.status == "finished"
    undisturbed, other, _ = run_trial("planted_noop")
    assert judge.store.result(key).epochs == 3
    assert judge.store.result(key).f1 == undisturbed.store.result(other).f1


_DRIVER = """
import sys, time
from pathlib import Path
from harness.matrix.local import LocalExecutor
from harness.matrix.spec import TrialSpec
from harness.matrix.store import Store
def main():
    spec, data, store, plugin = sys.argv[1:]
    executor = LocalExecutor(Store(Path(store)), 1, 600, (plugin,))
    executor.start(TrialSpec.model_validate_json(spec), Path(data))
    process = next(iter(executor._running.values())).process
    print(process.pid, flush=True)
    time.sleep(600)
if __name__ == "__main__":
    main()
"""


def test_workers_end_with_a_killed_driver(make_judge, packed, plugin, tmp_path):
    judge = make_judge("planted_crash[way=hang]")
    key = judge.plan.features[0].cells[0].candidate[0]
    script = tmp_path / "driver.py"
    script.write_text(_DRIVER)
    arguments = [judge.plan.trials[key].model_dump_json(), str(packed[1]), str(judge.store.root)]
    driver = subprocess.Popen(
        [sys.executable, str(script), *arguments, plugin], stdout=subprocess.PIPE, text=True
    )
    assert driver.stdout is not None
    worker = int(driver.stdout.readline())
    log = judge.store.work(key) / "metrics_history.csv"
    deadline = time.monotonic() + 60
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    while _alive(worker) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _alive(worker)


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
