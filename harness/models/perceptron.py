"""An encoder of GIN layers by tiles: sum, linear layer, BatchNorm, ReLU, linear layer.

Mean and deviation of a norm depend on all nodes of a batch, so that a pass over the tiles goes from
one norm to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from harness.models import blas, loops
from harness.models.fused import Way, lowest_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

_PARAMETERS = 6


@dataclass(frozen=True)
class PerceptronLayer:
    """A layer that sums over neighbours, with its network; both linear layers have a bias."""

    first: nn.Linear
    norm: nn.BatchNorm1d
    second: nn.Linear

    @property
    def parameters(self) -> tuple[torch.Tensor, ...]:
        """Of the three in turn, weight and bias."""
        first, norm, second = self.first, self.norm, self.second
        return first.weight, first.bias, norm.weight, norm.bias, second.weight, second.bias


def encode(x: torch.Tensor, layers: Sequence[PerceptronLayer], way: Way) -> torch.Tensor:
    """Activated layers, and mean and max of each graph: ``[V, H]`` -> ``[B, 2 H]``.

    In training the norms' running figures are moved on, as their own ``forward`` does. In
    evaluation they are what is used, and no gradient can be taken.

    Args:
        x: of each word; a node's state is the sum of its two words'.
        layers: as many as activations, all as wide as ``x``.
        way: of the batch, which has at least two nodes.
    """
    apply: Callable[..., torch.Tensor] = _Encode.apply
    norms = tuple(layer.norm for layer in layers)
    return apply((norms, way), x, *(value for layer in layers for value in layer.parameters))


@dataclass(frozen=True)
class _Norm:
    """What a norm did with a batch: ``scale x + shift``, of mean and inverse deviation; ``[H]``."""

    scale: Any
    shift: Any
    mean: Any
    inverse: Any

    @property
    def line(self) -> tuple[Any, Any]:
        return self.scale, self.shift

    @property
    def figures(self) -> tuple[Any, Any, Any, Any]:
        return self.scale, self.shift, self.mean, self.inverse

    def behind(self, rows: int, scale_grad: Any, shift_grad: Any) -> loops.Normal:
        """What the gradient before it takes of that behind it.

        Source: Ioffe and Szegedy, "Batch Normalization", ICML 2015, section 3.
        """
        shared = (shift_grad / rows).astype(self.mean.dtype)
        tilt = (scale_grad / rows * self.inverse).astype(self.mean.dtype)
        return self.scale, self.mean, shared, tilt


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, how: tuple[tuple[nn.BatchNorm1d, ...], Way], x: torch.Tensor,
        *parameters: torch.Tensor,
    ) -> torch.Tensor:  # fmt: skip
        norms, way = how
        rows, (nodes, width) = way.rows, (len(way.aggregation.rows.ends) - 1, x.shape[1])
        layers, small = _layers(parameters), blas.small()
        hidden, outs = (x.new_empty(len(norms), nodes, width) for _ in range(2))
        sums, states = hidden.numpy(), outs.numpy()
        pooled = x.new_zeros(len(rows.graph_ptr) - 1, 2 * width)
        place = torch.zeros(len(pooled), width, dtype=torch.int32)
        figures, done = np.zeros((2, width)), []
        first, bias, *_ = layers[0]
        loops.sum_words(
            rows.tiles, way.named[1], way.of_kinds,
            (x.detach().contiguous().numpy(), _turned(first), bias), small, (sums[0], figures),
        )  # fmt: skip
        for at, (norm, finish) in enumerate(zip(norms, way.finishes, strict=True)):
            _, _, scale, shift, second, second_bias = layers[at]
            done.append(_normalise(norm, figures, nodes, (scale, shift)))
            before, layer = (sums[at], *done[at].line), (_turned(second), second_bias)
            if at + 1 == len(norms):
                found = states[at], pooled.numpy(), place.numpy()
                loops.normal_then_pool(way.bounds, before, layer, (finish, small), found)
                break
            first, bias, *_ = layers[at + 1]
            figures = np.zeros((2, width))
            loops.normal_then_sum(
                rows.tiles, way.of_nodes, before, layer, (_turned(first), bias), (finish, small),
                (states[at], sums[at + 1], figures),
            )  # fmt: skip
        ctx.way, ctx.done = way, done
        ctx.save_for_backward(x, hidden, outs, place, *parameters)
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, hidden, outs, place, *parameters = ctx.saved_tensors
        way, done, layers = ctx.way, ctx.done, _layers(parameters)
        tiles, small = way.rows.tiles, blas.small()
        sums, states = hidden.numpy(), outs.numpy()
        end, nodes = (way.finish[2], small), hidden.shape[1]
        grads = [[np.zeros_like(one, dtype=_total(one)) for one in layer] for layer in layers]
        x_grad, norm_grad = torch.zeros_like(x), torch.empty_like(hidden[0]).numpy()
        _, of_input, *needed = ctx.needs_input_grad
        lowest = lowest_layer(
            [needed[begin : begin + _PARAMETERS] for begin in range(0, len(needed), _PARAMETERS)],
            of_input=of_input,
        )
        behind: Any = None
        factors: tuple[Any, Any] = (None, None)
        # What a layer's sums are of is found with the layer below it.
        for at in range(len(layers) - 1, max(lowest - 1, 0) - 1, -1):
            first_grad, first_bias_grad, scale_grad, shift_grad, second_grad, bias_grad = grads[at]
            there = (sums[at], layers[at][4], states[at]), done[at].figures, end
            found = norm_grad, second_grad, bias_grad, scale_grad, shift_grad
            if behind is None:
                given = grad.contiguous().numpy(), place.numpy()
                loops.pool_back_to_norm(way.bounds, given, *there, found)
            else:
                above = behind, sums[at + 1], layers[at + 1][0]
                loops.sum_back_to_norm(tiles, way.back, above, *there, (factors, found))
            behind = done[at].behind(nodes, scale_grad, shift_grad)
            factors = first_grad, first_bias_grad
        if lowest == 0:
            loops.sum_back_to_words(
                tiles, (way.named, way.back), (behind, sums[0], norm_grad),
                (x.detach().contiguous().numpy(), layers[0][0]), small, (x_grad.numpy(), *factors),
            )  # fmt: skip
        flat = (torch.from_numpy(one).to(grad.dtype) for layer in grads for one in layer)
        return None, x_grad, *flat


def _layers(parameters: Sequence[torch.Tensor]) -> list[list[Any]]:
    """The numbers of each layer's parameters."""
    values = [one.detach().contiguous().numpy() for one in parameters]
    return [values[begin : begin + _PARAMETERS] for begin in range(0, len(values), _PARAMETERS)]


def _total(parameter: Any) -> Any:
    """What a parameter's gradient is summed in: columns, which have many terms, in float64."""
    return np.float64 if parameter.ndim == 1 else parameter.dtype


def _turned(weight: Any) -> Any:
    """``[H, I]`` as ``[I, H]``, row by row."""
    return np.ascontiguousarray(weight.T)


def _normalise(norm: nn.BatchNorm1d, figures: Any, rows: int, affine: tuple[Any, Any]) -> _Norm:
    """A batch's norm by its own figures in training, and by the running ones in evaluation."""
    scale, shift = affine
    if norm.training:
        mean, squares = figures
        variance = squares / rows
        _move_on(norm, torch.from_numpy(mean), torch.from_numpy(squares / (rows - 1)))
    else:
        mean, variance = _running(norm)
    inverse = 1 / np.sqrt(variance + norm.eps)
    slope = scale.astype(np.float64) * inverse
    offset = shift.astype(np.float64) - mean * slope
    return _Norm(*(one.astype(scale.dtype) for one in (slope, offset, mean, inverse)))


def _running(norm: nn.BatchNorm1d) -> tuple[Any, Any]:
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        message = "a norm without running figures has none to evaluate with"
        raise ValueError(message)
    return mean.double().numpy(), variance.double().numpy()


def _move_on(norm: nn.BatchNorm1d, mean: torch.Tensor, variance: torch.Tensor) -> None:
    for figure, now in ((norm.running_mean, mean), (norm.running_var, variance)):
        if figure is not None and norm.momentum is not None:
            figure.lerp_(now.to(figure.dtype), norm.momentum)
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
