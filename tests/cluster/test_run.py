"""``ablate run --executor ray``: the verdict of a local run, whatever becomes of the driver."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from harness.graphs.dataset import save
from harness.matrix.store import Store
from harness.testing import planted_graphs
from tests.matrix.conftest import PLUGIN

QUESTION = (
    "--data", "planted", "--models", "gcn", "--baseline", "plain", "--epochs", "8", "--seeds", "3",
    "--features", "planted_noop,planted_sleep[share=5]", "--plugins", str(PLUGIN),
    "--timing-blocks", "3", "--timing-epochs", "1",
)  # fmt: skip

pytestmark = pytest.mark.xdist_group("ray")


@pytest.fixture
def folder(tmp_path):
    save(planted_graphs(400, seed=3), tmp_path / "planted")
    return tmp_path


def _start(folder, out, *more):
    command = [sys.executable, "-m", "harness", "run", *QUESTION, "--out", out, *more]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=folder, stdout=pipe, stderr=pipe, text=True, env=environment
    )


def _run(folder, out, *more):
    """Run to the end; every feature fails."""
    with _start(folder, out, *more) as process:
        said = process.communicate(timeout=400)
    assert process.returncode == 1, said


def _finished(folder, out):
    return {path.parent.name for path in (folder / out / "trials").glob("*/result.json")}


def _digests(folder, out):
    store = Store(folder / out)
    return {key: store.result(key).gate_digest for key in _finished(folder, out)}


def _verdict(folder, out):
    """The verdict, but for what hangs on seconds."""
    found = json.loads((folder / out / "verdict.json").read_text())
    cells = [cell for feature in found["features"].values() for cell in feature["cells"]]
    return found["verdict"], [(cell["verdict"], cell["gates"]["f1"]) for cell in cells]


@pytest.mark.slow
def test_a_driver_is_killed_and_started_again_and_says_what_one_machine_says(nodes, folder):
    on_cluster = ("--executor", "ray", "--address", nodes.address)
    with _start(folder, "ray", *on_cluster) as first:
        end = time.monotonic() + 120
        while len(_finished(folder, "ray")) < 2 and first.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
        first.send_signal(signal.SIGKILL)
        first.communicate()
    before = _digests(folder, "ray")
    assert len(before) >= 2
    _run(folder, "ray", *on_cluster)
    _run(folder, "local")
    ray, local = _digests(folder, "ray"), _digests(folder, "local")
    assert {key: ray[key] for key in before} == before
    both = ray.keys() & local.keys()
    assert len(both) >= 6
    assert all(ray[key] == local[key] for key in both)
    assert _verdict(folder, "ray") == _verdict(folder, "local")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_driver_that_is_told_to_stop_says_so_and_ends(nodes, folder, number):
    with _start(folder, "ray", "--executor", "ray", "--address", nodes.address) as driver:
        end = time.monotonic() + 120
        while not _finished(folder, "ray") and driver.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
        driver.send_signal(number)
        out, said = driver.communicate(timeout=60)
    assert driver.returncode == 128 + number, said
    assert "stopped; what is finished is kept" in said
    assert not re.search("Traceback|received at time", out + said)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:9", "ray start --head"),
        ("no-such-host.invalid:6379", "ray start --head"),
        ("ray://head:10001", "HOST:PORT"),
        ("head", "HOST:PORT"),
        ("head:99999", "HOST:PORT"),
    ],
)
def test_without_a_cluster_it_says_what_to_do(ablate, folder, address, said):
    done = ablate("run", "--executor", "ray", "--address", address, code=2)
    assert f"--address {address}" in done.stderr
    assert said in done.stderr
