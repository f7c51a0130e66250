"""What a model keeps in memory while it trains, measured by one forward pass on the CPU.

What autograd saves for the backward pass is counted by its hooks and not by an allocator, so the
figures are the same on every machine, and a GPU's can be had without one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch.nn import functional

from harness.graphs.batch import collate
from harness.models import DataShape, call_model, make_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.graphs.dataset import PackedGraphs
    from harness.selection import Selection

SAMPLE: Final = 64
"""Graphs of the pass."""

# Weights, their gradients, Adam's two moments, and the chosen epoch's copy.
_COPIES: Final = 5
# On its way back a gradient as large as an activation comes in while another goes out.
_GRADIENTS: Final = 2
# What a process holds for each byte of tensors: every batch has other sizes, and pieces that were
# freed fit no later one. On the CPU 1.5 to 2.5 was measured for GCN, GAT, GraphSAGE and GIN in an
# epoch of 512 graphs a batch, and 2.9 for GraphSAGE in two epochs (``benchmarks budgets``).
_ALLOCATOR: Final = 3.0


@dataclass(frozen=True)
class Footprint:
    """Bytes that training a model takes beside the process itself.

    Attributes:
        fixed: whatever the batch: weights, gradients, moments, the chosen epoch's copy.
        per_node: for each node of a batch: the batch, what is saved for the backward pass, and
            the gradients under way. Edges are in it, at as many a node as the data have.
    """

    fixed: int
    per_node: float

    def of(self, nodes: float) -> float:
        """Bytes with a batch of so many nodes."""
        return self.fixed + self.per_node * nodes


def measure(model: Selection, graphs: PackedGraphs, device: str = "cpu") -> Footprint:
    """Measure a model on some graphs of a data set, in training mode; no weight is kept.

    Args:
        model: which, and its values.
        graphs: drawn from at random, the same ones every time.
        device: on any but the CPU a batch has no rows, and layers keep messages instead.

    Raises:
        UsageError: if the model or one of its values is unknown.
    """
    count = min(SAMPLE, len(graphs))
    places = np.random.default_rng(0).choice(len(graphs), count, replace=False)
    batch = collate(graphs, places)
    if not device.startswith("cpu"):
        batch = replace(batch, neighbours=None)
    saved: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        saved.update(_storages([tensor]))
        return tensor.detach()  # an output kept as it is would hold the graph that holds it

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = make_model(model, DataShape.of(graphs)).train()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            logits = call_model(net, batch).float()
            loss = functional.cross_entropy(logits, batch.y)
    weights = _storages([*net.parameters(), *net.buffers()])
    # With what layers read off the rows.
    held = _storages(_tensors(batch))
    activations = {at: size for at, size in saved.items() if at not in weights and at not in held}
    moving = sum(held.values()) + sum(activations.values())
    moving += _GRADIENTS * max(activations.values(), default=0)
    del loss  # up to here it held all that was saved, so that no two pieces had one address
    return Footprint(_COPIES * sum(weights.values()), _ALLOCATOR * moving / max(len(batch.x), 1))


def _storages(tensors: Iterable[torch.Tensor]) -> dict[int, int]:
    """Bytes of each piece of memory that tensors lie in, by its address."""
    pieces = (tensor.untyped_storage() for tensor in tensors)
    return {piece.data_ptr(): piece.nbytes() for piece in pieces}


def _tensors(value: object) -> Iterator[torch.Tensor]:
    """All tensors of a batch, those of its rows and what was read off them included."""
    if isinstance(value, torch.Tensor):
        yield value
    elif is_dataclass(value):
        names = {field.name for field in fields(value)}
        for name in sorted(names | vars(value).keys()):
            yield from _tensors(getattr(value, name))
