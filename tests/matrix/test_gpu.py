"""Trials on a GPU: from the same fork server, whose processes must be able to begin with CUDA."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from harness.hardware import describe
from harness.matrix.local import LocalExecutor

ASKED = """
import torch
def poisoned():
    raise AssertionError("CUDA itself was asked: no forked process could use it any more")
torch.cuda.is_available = poisoned
torch.cuda.device_count = lambda: 1
import harness.matrix.preload
"""


def test_the_fork_server_asks_for_gpus_without_beginning_with_cuda():
    subprocess.run([sys.executable, "-c", ASKED], check=True)


@pytest.mark.gpu
def test_a_trial_trains_on_a_gpu_in_a_forked_process(make_judge, packed, plugin):
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    kind = describe("cuda").kind
    judge = make_judge("planted_noop", hardware=[kind], devices={kind: "cuda"})
    spec = next(iter(judge.plan.trials.values()))
    executor = LocalExecutor(judge.store, 1, 300.0, (plugin,), verify=True)
    executor.start(spec, packed[1])
    outcomes = []
    while not outcomes:
        outcomes = executor.wait(1.0)
    assert outcomes[0].status == "finished", judge.store.failure(spec.key)
    assert judge.store.result(spec.key).hardware.kind == kind
