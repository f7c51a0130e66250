"""Mixed precision: where low precision is used, where it must not be, and what is chosen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from features.amp import AMP, Precision
from harness.graphs.batch import collate
from harness.training.fit import fit
from harness.training.live import LiveRun

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def outputs(run, batch):
    """The dtype of what each linear layer gave in a forward pass, and of the logits."""
    seen = {}

    def watch(name):
        return lambda module, given, out: seen.update({name: out.dtype})

    hooks = [
        module.register_forward_hook(watch(name))
        for name, module in run.model.named_modules()
        if isinstance(module, nn.Linear) or type(module).__name__ == "Linear"
    ]
    logits = run.forward(batch)
    for hook in hooks:
        hook.remove()
    return seen, logits.dtype


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("model", ["gcn", "gat", "sage", "gin"])
def test_linear_layers_really_compute_in_low_precision(make_spec, model, dtype):
    run = LiveRun(make_spec(f"amp[dtype={dtype}]", model=model))
    seen, logits = outputs(run, collate(run.graphs, run.train[:8]))
    assert seen
    assert set(seen.values()) == {DTYPES[dtype]}
    assert logits is DTYPES[dtype]


def test_without_it_everything_is_fp32(make_spec):
    run = LiveRun(make_spec(model="gin"))
    seen, logits = outputs(run, collate(run.graphs, run.train[:8]))
    assert {*seen.values(), logits} == {torch.float32}


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_gradients_and_statistics_stay_in_fp32(make_spec, dtype):
    run = LiveRun(make_spec(f"amp[dtype={dtype}]", model="gin"))
    run.train_on([collate(run.graphs, run.train[:16])])
    for tensor in (*run.model.parameters(), *run.model.buffers()):
        assert tensor.dtype in (torch.float32, torch.int64)
    assert {parameter.grad.dtype for parameter in run.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("dtype", DTYPES)
def test_pooling_leaves_low_precision(make_spec, dtype):
    """The head's input is made in fp32, whatever comes out of the convolutions."""
    run = LiveRun(make_spec(f"amp[dtype={dtype}]", model="gcn"))
    seen = []
    run.model.head.register_forward_pre_hook(lambda module, given: seen.append(given[0].dtype))
    run.forward(collate(run.graphs, run.train[:8]))
    assert seen == [torch.float32]


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
