"""What the parts of a model work on, seen in one forward pass: encoder layers and head.

Names say little of a model that somebody else wrote. What a module is given says it: the encoder
works on nodes, the head on graphs, and every convolution begins a layer.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch_geometric.nn import MessagePassing

from harness.models.registry import call_model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.graphs.batch import GraphBatch


@dataclass(frozen=True)
class ModelParts:
    """Names of a model's parameters and buffers, as its ``state_dict`` has them.

    Attributes:
        layers: of the encoder, from the input upwards: what comes before the first convolution,
            then each convolution with what follows it; layers that hold nothing are left out.
        head: what works on whole graphs after the last module that works on nodes.
    """

    layers: tuple[tuple[str, ...], ...]
    head: tuple[str, ...]

    @property
    def encoder(self) -> tuple[str, ...]:
        """Everything but the head."""
        return tuple(name for layer in self.layers for name in layer)


@dataclass(frozen=True)
class _Call:
    """A module's first call: place in the order, rows that it was given, convolutions so far."""

    place: int
    rows: int | None
    layer: int


def parts_of(model: nn.Module, batch: GraphBatch) -> ModelParts:
    """Divide a model by what its modules are given in a forward pass over a batch.

    What was never called by itself goes with the module that holds it. Where nothing works on
    graphs alone, or the batch has as many nodes as graphs, the head is the last linear layer.
    The pass leaves no trace: no gradients, random numbers, statistics or modes.

    Args:
        model: takes the batch.
        batch: of a few graphs.
    """
    calls = _calls(model, replace(batch, neighbours=None))
    head = _head(model, calls, batch)
    layers: dict[int, list[str]] = {}
    for name in model.state_dict():
        if name not in head:
            layers.setdefault(_call_around(name, calls).layer, []).append(name)
    return ModelParts(tuple(tuple(layers[place]) for place in sorted(layers)), head)


def _calls(model: nn.Module, batch: GraphBatch) -> dict[str, _Call]:
    calls: dict[str, _Call] = {}
    layer = 0

    def watch(name: str) -> Any:
        def before(module: nn.Module, given: Any, named: Any) -> None:
            nonlocal layer
            if name not in calls:
                layer += isinstance(module, MessagePassing)
                calls[name] = _Call(len(calls), _rows([*given, *named.values()]), layer)

        return before

    modes = {module: module.training for module in model.modules()}
    devices = [batch.x.device] if batch.x.device.type == "cuda" else []
    with ExitStack() as stack, torch.no_grad(), torch.random.fork_rng(devices=devices):
        for name, module in model.named_modules():
            hook = module.register_forward_pre_hook(watch(name), with_kwargs=True)
            stack.callback(hook.remove)
        try:
            call_model(model.eval(), batch)
        finally:
            for module, training in modes.items():
                module.training = training
    return calls


def _rows(given: Iterable[Any]) -> int | None:
    """Rows of the first tensor, at any depth of lists."""
    for value in given:
        if isinstance(value, torch.Tensor) and value.ndim:
            return len(value)
        if isinstance(value, list | tuple):
            found = _rows(value)
            if found is not None:
                return found
    return None


def _head(model: nn.Module, calls: dict[str, _Call], batch: GraphBatch) -> tuple[str, ...]:
    on_graphs = {None, batch.num_graphs}
    on_nodes = [call.place for call in calls.values() if call.rows not in on_graphs]
    last = max(on_nodes, default=0)
    names = tuple(name for name in model.state_dict() if _call_around(name, calls).place > last)
    if names and len(batch.x) != batch.num_graphs:
        return names
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    start = f"{linear[-1]}." if linear else None
    return tuple(name for name in model.state_dict() if start and name.startswith(start))


def _call_around(name: str, calls: dict[str, _Call]) -> _Call:
    """The call of the innermost module around a parameter that was called at all."""
    owner = name.rpartition(".")[0]
    while owner not in calls:
        owner = owner.rpartition(".")[0]
    return calls[owner]
