"""A third party's package is found through its entry point and keeps the contract."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs/examples/label-smoothing"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The environment of a process in which the package is installed beside the harness."""
    folder = tmp_path_factory.mktemp("third-party")
    source = shutil.copytree(EXAMPLE, folder / "source")
    install = [
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
        "--no-build-isolation", "--target", str(folder / "site"), str(source),
    ]  # fmt: skip
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    return {**os.environ, "PYTHONPATH": str(folder / "site"), "OMP_NUM_THREADS": "1"}, source


def _run(environment, *words):
    found, folder = environment
    return subprocess.run(
        [sys.executable, "-m", *words],
        env=found, cwd=folder.parent, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_its_card_is_there(environment):
    done = _run(environment, "harness", "features", "label_smoothing")
    assert done.returncode == 0, done.stderr
    assert "Train towards 1 - epsilon" in done.stdout
    assert "epsilon" in done.stdout


@pytest.mark.timeout(250)
def test_its_own_tests_hold_it_to_the_contract(environment):
    done = _run(environment, "pytest", "-q", "-p", "no:cacheprovider", "source/test_contract.py")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "9 passed" in done.stdout


def test_a_slot_that_another_feature_owns_is_refused_before_anything_trains(environment):
    done = _run(environment, "harness", "run", "--features", "label_smoothing", "--out", "out")
    assert done.returncode == 2
    assert "'focal_loss' and 'label_smoothing' both own the slot 'criterion'" in done.stderr
    assert not (environment[1].parent / "out").exists()
