"""Training without lasting effect, as an LR range test needs it."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.training.live import LiveRun


@contextmanager
def rehearsal(run: LiveRun) -> Iterator[None]:
    """Let the block train, then put everything back, to the bit.

    Weights, gradients, buffers, the mode of every module, optimizer, gradient scaler, torch's
    random generators and the run's own counters are as before; no event is sent meanwhile.
    """
    model, optimizer, scaler = run.model, run.optimizer, run.scaler
    tensors = {
        tensor: tensor.detach().clone() for tensor in chain(model.parameters(), model.buffers())
    }
    gradients = {parameter: parameter.grad for parameter in model.parameters()}
    modes = {module: module.training for module in model.modules()}
    optimizer_state = copy.deepcopy(optimizer.state_dict())
    scaler_state = scaler.state_dict() if scaler else None
    kept = run.step, run.batch, run.loss, run.gradient_norm
    devices = [run.device] if run.device.type == "cuda" else []
    optimizer.zero_grad(set_to_none=True)  # lets go of the gradients, and leaves them as they are
    try:
        with torch.random.fork_rng(devices=devices), run.without_events():
            yield
    finally:
        with torch.no_grad():
            for tensor, before in tensors.items():
                tensor.copy_(before)
        for module, training in modes.items():
            module.training = training
        for parameter, gradient in gradients.items():
            parameter.grad = gradient
        optimizer.load_state_dict(optimizer_state)
        if scaler and scaler_state is not None:
            scaler.load_state_dict(scaler_state)
        run.step, run.batch, run.loss, run.gradient_norm = kept
