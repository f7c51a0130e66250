"""Canonical names of hardware."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.hardware import cpu_kind, describe, gpu_kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Tesla T4", "t4"),
        ("Tesla V100-SXM2-16GB", "v100"),
        ("NVIDIA A100-SXM4-40GB", "a100"),
        ("NVIDIA A100 80GB PCIe", "a100"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA GeForce RTX 3090 Ti", "rtx3090ti"),
        ("Some New Thing", "some-new-thing"),
    ],
)
def test_gpus_have_short_names(name, kind):
    assert gpu_kind(name) == kind


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("AMD EPYC 7763 64-Core Processor", "cpu-amd-epyc-7763-2t"),
        ("Intel(R) Xeon(R) CPU @ 2.20GHz", "cpu-intel-xeon-2t"),
        ("Apple M2", "cpu-apple-m2-2t"),
    ],
)
def test_cpus_have_a_name_and_their_threads(model, kind):
    assert cpu_kind(model, 2) == kind


def test_this_machine_is_described():
    found = describe()
    assert found.kind.startswith("cpu-")
    assert found.kind.endswith("-1t")
    assert found.cores >= 1
    assert found.memory_gib > 0
    assert found.versions["torch"] != "none"


def test_a_gpu_that_is_not_there_is_an_error():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UsageError, match="no CUDA device"):
        describe("cuda")
