"""The same bits on a GPU: kernels are chosen before anything is built, and never while timing."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from harness.matrix.timing import timed_settings
from harness.settings import TrainingSettings
from harness.training.fit import fit

CHOSEN = """
import torch
from harness.training.deterministic import WORKSPACE, make_deterministic
environment = {}
make_deterministic(torch.device("cpu"), environment)
assert environment == {} and not torch.are_deterministic_algorithms_enabled()
make_deterministic(torch.device("cuda"), environment)
assert environment == {WORKSPACE: ":4096:8"}
assert torch.are_deterministic_algorithms_enabled()
assert not torch.is_deterministic_algorithms_warn_only_enabled()
assert not torch.backends.cudnn.benchmark
environment = {WORKSPACE: ":16:8"}
make_deterministic(torch.device("cuda", 1), environment)
assert environment == {WORKSPACE: ":16:8"}
"""


def test_kernels_are_chosen_on_a_gpu_alone_and_the_users_workspace_stays():
    subprocess.run([sys.executable, "-c", CHOSEN], check=True)


def test_on_a_cpu_nothing_changes(make_spec):
    plain, chosen = fit(make_spec()), fit(make_spec(deterministic=True))
    assert not torch.are_deterministic_algorithms_enabled()
    assert plain.gate.probability.tolist() == chosen.gate.probability.tolist()


def test_a_timed_fit_runs_the_kernels_that_users_run():
    settings = TrainingSettings(deterministic=True, patience=3)
    timed = timed_settings(settings)
    assert (timed.deterministic, timed.patience) == (False, 0)


@pytest.mark.gpu
@pytest.mark.parametrize("model", ["gcn", "sage", "gin", "gat"])
def test_two_fits_on_a_gpu_are_the_same_to_the_bit(make_spec, model):
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    one, two = (fit(make_spec(model=model, deterministic=True, device="cuda")) for _ in range(2))
    assert one.gate.probability.tolist() == two.gate.probability.tolist()
