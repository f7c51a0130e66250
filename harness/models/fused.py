"""An encoder by tiles: what one step writes, the next reads from the cache.

A layer's products, sums, bias, ReLU and dropout each read and write all states of a batch, which
are larger than a core's cache, and a product of a tile that is in the cache is faster too. Edges
never leave a graph, so that a tile of whole graphs can take all steps of all layers, and its
pooling, before the next one begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from harness.models import blas, loops
from harness.models.neighbours import by_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.graphs.adjacency import Aggregation, Neighbours, Rows


@dataclass(frozen=True)
class SumLayer:
    """A layer that multiplies, sums over neighbours and adds each node's own product and a bias.

    Attributes:
        weight: ``[H, H]``, the factor of what is summed.
        own: ``[H, H]``, the factor of a node's own state, or None.
        bias: ``[H]``.
    """

    weight: torch.Tensor
    own: torch.Tensor | None
    bias: torch.Tensor


@dataclass(frozen=True)
class Way:
    """How a batch goes through an encoder.

    Attributes:
        rows: of the batch.
        aggregation: what is summed at each node.
        finishes: of each layer's activation.
    """

    rows: Neighbours
    aggregation: Aggregation
    finishes: tuple[loops.Finish, ...]

    @property
    def seeds(self) -> Any:
        """``[L]`` int64."""
        return np.array([seed for seed, _, _ in self.finishes])

    @property
    def finish(self) -> loops.Finish:
        """What all layers share: of one activation."""
        return self.finishes[0]

    @property
    def bounds(self) -> loops.Bounds:
        """Of tiles, and of graphs."""
        return self.rows.tiles, self.rows.graph_ptr.numpy()

    @property
    def named(self) -> loops.Named:
        """The kind of each node, and the words of each kind."""
        kinds = self.rows.kinds
        return kinds.of_node.numpy(), kinds.words.of_kind.numpy()

    @property
    def of_kinds(self) -> loops.Sums:
        """What the first layer sums."""
        return sums(by_kind(self.aggregation.rows, self.rows.kinds), self.aggregation.weight)

    @property
    def of_nodes(self) -> loops.Sums:
        """What the other layers sum."""
        return sums(self.aggregation.rows, self.aggregation.weight)

    @property
    def back(self) -> loops.Sums:
        """The transpose of that."""
        return sums(self.aggregation.transposed, self.aggregation.transposed_weight)


def encode(x: torch.Tensor, layers: Sequence[SumLayer], way: Way) -> torch.Tensor:
    """Activated layers, and mean and max of each graph: ``[V, H]`` -> ``[B, 2 H]``.

    Args:
        x: of each word; a node's state is the sum of its two words'.
        layers: as many as activations; all with a factor of nodes' own states, or none.
        way: of the batch.
    """
    apply: Callable[..., torch.Tensor] = _Encode.apply
    own = [layer.own for layer in layers if layer.own is not None]
    return apply(way, x, *(one.weight for one in layers), *(one.bias for one in layers), *own)


def sums(rows: Rows, weight: torch.Tensor | None) -> loops.Sums:
    """Rows as the loops take them."""
    return rows.ends.numpy(), rows.index.numpy(), None if weight is None else weight.numpy()


def lowest_layer(needed: Sequence[Sequence[bool]], *, of_input: bool) -> int:
    """The lowest layer that a gradient is wanted of, or that one must pass to reach the input.

    Args:
        needed: for each layer, whether each of its parameters wants one.
        of_input: whether what goes in wants one.
    """
    if of_input:
        return 0
    return next((layer for layer, each in enumerate(needed) if any(each)), len(needed))


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, way: Way, x: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        depth = len(way.finishes)
        weights, biases, own = _divide(parameters, depth)
        rows, (nodes, width) = way.rows, (len(way.aggregation.rows.ends) - 1, x.shape[1])
        outs = x.new_empty(depth, nodes, width)
        pooled = x.new_zeros(len(rows.graph_ptr) - 1, 2 * width)
        place = torch.zeros(len(pooled), width, dtype=torch.int32)
        loops.encode(
            way.bounds, (way.named, way.of_kinds, way.of_nodes),
            (x.detach().contiguous().numpy(), _turned(weights), torch.stack(biases).numpy()),
            _turned(own) if own else None, (way.seeds, way.finish, blas.small()),
            (outs.numpy(), pooled.numpy(), place.numpy()),
        )  # fmt: skip
        ctx.way = way
        ctx.save_for_backward(x, outs, place, *parameters)
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, outs, place, *parameters = ctx.saved_tensors
        way: Way = ctx.way
        depth = len(outs)
        weights, _, own = _divide(parameters, depth)
        _, of_input, *needed = ctx.needs_input_grad
        lowest = lowest_layer([needed[layer::depth] for layer in range(depth)], of_input=of_input)
        x_grad, bias_grad = torch.zeros_like(x), np.zeros((depth, x.shape[1]))
        factors_grad = x.new_zeros(depth, *weights[0].shape)
        both = torch.stack([torch.stack(own), torch.zeros_like(factors_grad)]) if own else None
        loops.encode_back(
            way.bounds, (way.named, way.back),
            (x.detach().contiguous().numpy(), torch.stack(weights).numpy(), outs.numpy()),
            None if both is None else both.numpy(),
            (grad.contiguous().numpy(), place.numpy()), (way.finish[2], blas.small(), lowest),
            (x_grad.numpy(), factors_grad.numpy(), bias_grad),
        )  # fmt: skip
        of_biases = torch.from_numpy(bias_grad).to(grad.dtype)
        return None, x_grad, *factors_grad, *of_biases, *(() if both is None else both[1])


def _divide(
    parameters: Sequence[torch.Tensor], depth: int
) -> tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]:
    """Weights, biases and factors of nodes' own states, of each layer."""
    values = [one.detach() for one in parameters]
    return values[:depth], values[depth : 2 * depth], values[2 * depth :]


def _turned(weights: Sequence[torch.Tensor]) -> Any:
    """``[L, I, H]`` of ``[H, I]`` each, row by row."""
    return torch.stack(list(weights)).transpose(1, 2).contiguous().numpy()
