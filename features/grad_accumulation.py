"""Gradient accumulation."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

import torch
from pydantic import Field
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.modules.batchnorm import _BatchNorm
from torch_geometric.nn import HeteroBatchNorm

from harness import Claim, Feature, register

if TYPE_CHECKING:
    from harness import Run

ADAM_COPIES = 4
"""Tensors of a weight's size while training: itself, its gradient and Adam's two moments."""
FREE_SHARE = 0.5
"""Share of a machine's memory that one training run may plan with."""


@register
class GradientAccumulation(Feature):
    """Step the optimizer once every ``steps`` batches: a larger batch in the same memory.

    Why: a step's gradient is the mean over the graphs of all its batches, whatever their sizes,
    the last window of an epoch included, so that the result is that of one batch ``steps`` times
    as large. Clipping, the learning-rate schedule per step and the gradient scaler go by steps.

    When it hurts: at the same number of epochs there are fewer steps. With BatchNorm the
    statistics still are those of the small batches, and the run says so. Where the large batch
    fits into memory, that batch trains faster; the run says when it would, from the activations
    that one batch keeps for its backward pass.

    Known limitations: the estimate weighs activations and weights against half of the machine's
    memory, not against what other processes leave of it.

    Source: Ott et al., "Scaling Neural Machine Translation", WMT 2018, section 3.2.
    """

    name: ClassVar[str] = "grad_accumulation"
    claim: ClassVar[Claim] = Claim.MEMORY

    steps: int = Field(2, ge=1, le=10_000, description="batches for each step of the optimizer")

    def accumulation_window(self, run: Run) -> int:
        """Batches per optimizer step."""
        del run
        return self.steps

    def on_fit_start(self, run: Run) -> None:
        """Say what the user should know before the run is paid for."""
        if self.steps == 1:
            return
        small, large = run.settings.batch_size, run.settings.batch_size * self.steps
        if any(isinstance(each, _BatchNorm | HeteroBatchNorm) for each in run.model.modules()):
            run.say(
                f"grad_accumulation: the model has BatchNorm, whose statistics are those of "
                f"{small} graphs: this is not the same as a batch of {large}"
            )
        need, memory = bytes_of_batch(run, large), memory_of(run.device)
        if memory and need < FREE_SHARE * memory:
            run.say(
                f"grad_accumulation: batches of {large} graphs need about {need / 2**20:.0f} MiB "
                f"here, so they fit: auto batch size would do, and train faster"
            )


def bytes_of_batch(run: Run, graphs: int) -> int:
    """Estimate the memory of training on batches of so many graphs, without lasting effect.

    One batch is passed forward; what autograd keeps of it grows with its nodes, and as much again
    is needed for gradients on the way back.
    """
    batch = next(iter(run.batches(run.order(0))))
    weights = sum(each.nbytes for each in run.model.parameters())
    own = {each.untyped_storage().data_ptr() for each in run.model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with run.rehearsal(), saved_tensors_hooks(keep, lambda tensor: tensor):
        run.model.train()
        logits = run.forward(batch)  # keeps the graph, and so what it saved, alive
    del logits
    nodes = float(run.graphs.num_nodes[run.train].mean()) * graphs
    return round(2 * sum(kept.values()) / len(batch.x) * nodes) + ADAM_COPIES * weights


def memory_of(device: torch.device) -> int:
    """Bytes of memory that a device has; 0 where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
