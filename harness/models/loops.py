"""Loops over tiles of rows, which the fused layers are made of.

A tile is a run of whole graphs whose states stay in a core's cache from one step to the next. All
loops stand in one file, because the cache of compiled code sees changes of that file alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Span = tuple[int, int, int]
    # Whether to activate at all, the seed, how many of LEVELS are dropped, scale of the others.
    Finish = tuple[bool, int, int, float]

LEVELS = 1 << 16
_STEP = 0x9E3779B97F4A7C15


@compiled
def activate_rows(out: Array, finish: Finish, first: int) -> None:
    """ReLU and dropout of rows ``first, first + 1, ...`` of some states, in place."""
    _, seed, zeros, scale = finish
    nodes, width = out.shape
    numbers = np.empty((width + 3) // 4, np.uint64)
    bits = numbers.view(np.uint16)
    factor, nothing, lowest = out.dtype.type(scale), out.dtype.type(0), np.uint16(zeros)
    state = np.uint64(seed) + np.uint64(first * len(numbers)) * np.uint64(_STEP)
    for node in range(nodes):
        for one in range(len(numbers)):
            state += np.uint64(_STEP)
            mixed = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            numbers[one] = mixed ^ (mixed >> np.uint64(31))
        values = out[node]
        for one in range(width):
            # Written so that NaN is kept as it is.
            dropped = values[one] <= nothing or bits[one] < lowest
            values[one] = nothing if dropped else values[one] * factor


@compiled
def pass_back_rows(grad: Array, out: Array, scale: float, x_grad: Array) -> None:
    """The gradient of ``activate_rows``: it passes where the output is not zero."""
    factor, nothing = grad.dtype.type(scale), grad.dtype.type(0)
    for node in range(len(grad)):
        source, kept, target = grad[node], out[node], x_grad[node]
        for one in range(grad.shape[1]):
            target[one] = source[one] * factor if kept[one] != nothing else nothing


@compiled
def sum_forward(
    tiles: Array, of_node: Array | None, rows: tuple[Array, Array], weight: Array | None,
    states: tuple[Array, Array, Array], finish: Finish, out: Array,
) -> None:  # fmt: skip
    """Multiply the states, sum products over rows, add each node's own and the bias, activate."""
    x, stack, bias = states
    width, factors = out.shape[1], stack.T
    if of_node is None:
        room = np.empty((_longest(tiles), len(stack)), x.dtype)
    else:
        products = np.dot(x, factors)
    for tile in range(len(tiles) - 1):
        begin, end = tiles[tile], tiles[tile + 1]
        if of_node is None:
            products = room[: end - begin]
            np.dot(x[begin:end], factors, products)
        base = begin if of_node is None else 0
        for node in range(begin, end):
            target = out[node]
            for one in range(width):
                target[one] = bias[one]
            if len(stack) > width:
                own = products[node - begin if of_node is None else of_node[node]]
                for one in range(width):
                    target[one] += own[width + one]
        _sum_rows(rows, weight, products, (begin, end, base), out[begin:end])
        _finish(out[begin:end], finish, begin)


@compiled
def sum_backward(
    tiles: Array, of_node: Array | None, rows: tuple[Array, Array], weight: Array | None,
    states: tuple[Array, Array, Array, Array], finish: Finish, found: tuple[Array, Array, Array],
) -> None:  # fmt: skip
    """The gradients of ``sum_forward``; ``rows`` and ``weight`` are the transposed ones."""
    x, stack, out, grad = states
    x_grad, stack_grad, bias_grad = found
    width, longest = grad.shape[1], _longest(tiles)
    room = np.empty((longest, width), x.dtype)
    wide_room = np.empty((longest, len(stack)), x.dtype)
    share = np.empty_like(stack)
    if of_node is not None:
        of_kind = np.zeros((len(x), len(stack)), x.dtype)
    for tile in range(len(tiles) - 1):
        begin, end = tiles[tile], tiles[tile + 1]
        received, wide = room[: end - begin], wide_room[: end - begin]
        _receive(grad[begin:end], out[begin:end], finish, received)
        _add_columns(received, bias_grad)
        _begin_wide(received, wide)
        _sum_rows(rows, weight, received, (begin, end, begin), wide)
        if of_node is None:
            np.dot(wide, stack, x_grad[begin:end])
            np.dot(wide.T, x[begin:end], share)
            stack_grad += share
        else:
            for node in range(begin, end):
                source, target = wide[node - begin], of_kind[of_node[node]]
                for one in range(len(stack)):
                    target[one] += source[one]
    if of_node is not None:
        np.dot(of_kind, stack, x_grad)
        np.dot(of_kind.T, x, stack_grad)


@compiled
def _begin_wide(received: Array, wide: Array) -> None:
    """Zero the left of ``wide``, and let its right half, where it has one, be what was received."""
    width = received.shape[1]
    for node in range(len(received)):
        source, target = received[node], wide[node]
        for one in range(width):
            target[one] = 0
        if wide.shape[1] > width:
            for one in range(width):
                target[width + one] = source[one]


@compiled
def moments(x: Array) -> tuple[Array, Array]:
    """Mean and mean squared deviation of each column, in float64."""
    mean, squares = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    _add_columns(x, mean)
    mean /= len(x)
    for node in range(len(x)):
        values = x[node]
        for one in range(x.shape[1]):
            deviation = values[one] - mean[one]
            squares[one] += deviation * deviation
    return mean, squares / len(x)


@compiled
def normal_forward(
    tiles: Array, x: Array, line: tuple[Array, Array], layer: tuple[Array, Array], finish: Finish,
    out: Array,
) -> None:  # fmt: skip
    """Scale and shift, ReLU, multiply, add the bias, activate."""
    weight, bias = layer
    room, factors = np.empty((_longest(tiles), x.shape[1]), x.dtype), weight.T
    for tile in range(len(tiles) - 1):
        begin, end = tiles[tile], tiles[tile + 1]
        inner, target = room[: end - begin], out[begin:end]
        _rectify(x[begin:end], line, inner)
        np.dot(inner, factors, target)
        for node in range(end - begin):
            values = target[node]
            for one in range(out.shape[1]):
                values[one] += bias[one]
        _finish(target, finish, begin)


@compiled
def normal_backward(
    tiles: Array, states: tuple[Array, Array, Array, Array], line: tuple[Array, Array],
    normal: tuple[Array, Array], finish: Finish, found: tuple[Array, Array, Array, Array, Array],
) -> None:  # fmt: skip
    """The gradients of ``normal_forward`` where mean and deviation are those of ``x``.

    Source: Ioffe and Szegedy, "Batch Normalization", ICML 2015, section 3.
    """
    x, weight, out, grad = states
    scale, _ = line
    mean, inverse = normal
    x_grad, weight_grad, bias_grad, normal_grad, shift_grad = found
    longest, width = _longest(tiles), x.shape[1]
    room, share = np.empty((longest, grad.shape[1]), x.dtype), np.empty_like(weight)
    inner_room, nothing = np.empty((longest, width), x.dtype), x.dtype.type(0)
    for tile in range(len(tiles) - 1):
        begin, end = tiles[tile], tiles[tile + 1]
        received, inner = room[: end - begin], inner_room[: end - begin]
        _receive(grad[begin:end], out[begin:end], finish, received)
        _add_columns(received, bias_grad)
        _rectify(x[begin:end], line, inner)
        np.dot(received.T, inner, share)
        weight_grad += share
        np.dot(received, weight, x_grad[begin:end])
        for node in range(begin, end):
            source, kept, target = x[node], inner[node - begin], x_grad[node]
            for one in range(width):
                target[one] = nothing if kept[one] <= nothing else target[one]
                shift_grad[one] += target[one]
                normal_grad[one] += target[one] * ((source[one] - mean[one]) * inverse[one])
    shared = (shift_grad / len(x)).astype(x.dtype)
    tilted = (normal_grad / len(x)).astype(x.dtype)
    for node in range(len(x)):
        source, target = x[node], x_grad[node]
        for one in range(width):
            normalised = (source[one] - mean[one]) * inverse[one]
            target[one] = scale[one] * (target[one] - shared[one] - normalised * tilted[one])


@compiled
def _longest(tiles: Array) -> int:
    longest = 0
    for tile in range(len(tiles) - 1):
        longest = max(longest, tiles[tile + 1] - tiles[tile])
    return longest


@compiled
def _sum_rows(
    rows: tuple[Array, Array], weight: Array | None, x: Array, span: Span, out: Array
) -> None:
    """Add to the left of ``out`` what rows name in the left of ``x``, which begins at a base."""
    ends, index = rows
    begin, end, base = span
    width = min(x.shape[1], out.shape[1])
    for node in range(begin, end):
        target = out[node - begin]
        for at in range(ends[node], ends[node + 1]):
            source = x[index[at] - base]
            if weight is None:
                for one in range(width):
                    target[one] += source[one]
            else:
                share = weight[at]
                for one in range(width):
                    target[one] += share * source[one]


@compiled
def _add_columns(x: Array, total: Array) -> None:
    for node in range(len(x)):
        values = x[node]
        for one in range(x.shape[1]):
            total[one] += values[one]


@compiled
def _rectify(x: Array, line: tuple[Array, Array], out: Array) -> None:
    scale, shift = line
    nothing = x.dtype.type(0)
    for node in range(len(x)):
        source, target = x[node], out[node]
        for one in range(x.shape[1]):
            value = source[one] * scale[one] + shift[one]
            target[one] = nothing if value <= nothing else value  # noqa: FURB136 - keeps NaN


@compiled
def _finish(out: Array, finish: Finish, first: int) -> None:
    active, _, zeros, _ = finish
    if not active:
        return
    if zeros > 0:
        activate_rows(out, finish, first)
        return
    nothing = out.dtype.type(0)
    for node in range(len(out)):
        values = out[node]
        for one in range(out.shape[1]):
            values[one] = nothing if values[one] <= nothing else values[one]  # noqa: FURB136


@compiled
def _receive(grad: Array, out: Array, finish: Finish, received: Array) -> None:
    active, _, _, scale = finish
    if active:
        pass_back_rows(grad, out, scale, received)
    else:
        received[:] = grad
