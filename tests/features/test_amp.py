"""Mixed precision: what stays in fp32, what is chosen; test_amp_layers.py measures the layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from features.amp import AMP, Precision
from harness.graphs.batch import collate
from harness.training.fit import fit
from harness.training.live import LiveRun

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_gradients_and_statistics_stay_in_fp32(make_spec, dtype):
    run = LiveRun(make_spec(f"amp[dtype={dtype}]", model="gin"))
    run.train_on([collate(run.graphs, run.train[:16])])
    for tensor in (*run.model.parameters(), *run.model.buffers()):
        assert tensor.dtype in (torch.float32, torch.int64)
    assert {parameter.grad.dtype for parameter in run.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("dtype", DTYPES)
def test_results_are_near_those_of_fp32(make_spec, dtype):
    plain, low = (
        fit(make_spec(arm, model="gin[dropout=0]", epochs=2)) for arm in ("", f"amp[dtype={dtype}]")
    )
    assert low.gate.probability == pytest.approx(plain.gate.probability, abs=0.08)
    assert not np.array_equal(low.gate.probability, plain.gate.probability)


def test_fp16_has_a_scaler_and_bf16_has_none(make_spec):
    assert LiveRun(make_spec("amp[dtype=bf16]")).scaler is None
    scaler = LiveRun(make_spec("amp[dtype=fp16]")).scaler
    assert scaler.is_enabled()


def test_auto_is_bf16_on_the_cpu():
    assert AMP().precision(torch.device("cpu")) is torch.bfloat16


@pytest.mark.parametrize("native", [True, False])
def test_auto_on_a_gpu_asks_for_native_bf16_and_not_for_emulation(monkeypatch, native):
    def is_bf16_supported(including_emulation=True):  # noqa: FBT002 - torch's own signature
        return True if including_emulation else native

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    found = AMP().precision(torch.device("cuda"))
    assert found is (torch.bfloat16 if native else torch.float16)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_precision_that_is_asked_for_is_taken(device):
    for name, dtype in DTYPES.items():
        assert AMP(dtype=Precision(name)).precision(torch.device(device)) is dtype
