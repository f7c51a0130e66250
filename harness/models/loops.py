"""Loops over tiles of rows, which the fused layers are made of.

A tile is a run of whole graphs whose states stay in a core's cache from one step to the next. All
loops stand in one file, because the cache of compiled code sees changes of that file alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types
from numba.extending import overload

from harness.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Span = tuple[int, int, int]
    # Whether to activate at all, the seed, how many of LEVELS are dropped, scale of the others.
    Finish = tuple[bool, int, int, float]
    # Scale, mean, mean gradient, and what a deviation from the mean adds to it: each [H].
    Normal = tuple[Array, Array, Array, Array]
    # How to activate, how large a product may be that is not copied, the norm that follows.
    End = tuple[Finish, int, Normal | None]
    # Where each sum ends, what it names, and by how much each counts.
    Sums = tuple[Array, Array, Array | None]
    # The factor of a node's own state, and its gradient.
    Own = tuple[Array | None, Array | None]


LEVELS = 1 << 16
_AS_IT_IS, _TURNED = ord("n"), ord("t")  # BLAS's letters
_STEP = 0x9E3779B97F4A7C15


def _multiplier(number: Any) -> Any:
    """The product that ``numpy.dot`` calls in compiled code, which can add to what is there."""
    array = types.CPointer(number)  # type: ignore[no-untyped-call]
    sizes = (types.intp, types.intp, types.intp)
    given = (array, array, types.intp, array, types.intp, array, array, types.intp)
    letters = (types.char, types.char, types.char)
    return types.ExternalFunction("numba_xxgemm", types.intc(*letters, *sizes, *given))


def _call(turn: int, left: Array, right: Array, share: float, out: Array) -> None:
    """``out = share out + left right``, of rows that may lie apart; or ``left^T right``."""
    out[:] = share * out + (left.T if turn == _TURNED else left) @ right


@overload(_call)
def _call_compiled(turn: Any, left: Any, right: Any, share: Any, out: Any) -> Any:
    del turn, right, share, out
    gemm, kind = _multiplier(left.dtype), ord("s" if left.dtype == types.float32 else "d")

    def call(turn: Any, left: Any, right: Any, share: Any, out: Any) -> Any:
        # BLAS counts by columns, so that it sees each of these matrices transposed.
        size, terms = left.itemsize, len(right)
        one, kept = np.ones(1, left.dtype), np.full(1, share, left.dtype)
        failed = gemm(
            kind, _AS_IT_IS, turn, out.shape[1], len(out), terms,
            one.ctypes, right.ctypes, right.strides[0] // size,
            left.ctypes, left.strides[0] // size,
            kept.ctypes, out.ctypes, out.strides[0] // size,
        )  # fmt: skip
        if failed:
            raise RuntimeError("no BLAS to multiply with")

    return call


@compiled
def _strip(terms: int, columns: int, rows: int, small: int) -> int:
    """How many rows to take at once: as many as are no reason to copy, or all."""
    # Kernels take 12 or 24 rows of numbers at a time.
    fit = small // (terms * columns) // 12 * 12
    return fit or max(rows, 1)


@compiled
def multiply(left: Array, right: Array, small: int, share: float, out: Array) -> None:
    """``share out + left right`` in the first rows of ``out``: ``[N, I], [I, H] -> [N, H]``."""
    rows = len(left)
    strip = _strip(left.shape[1], right.shape[1], rows, small)
    for begin in range(0, rows, strip):
        end = min(begin + strip, rows)
        _call(_AS_IT_IS, left[begin:end], right, share, out[begin:end])


@compiled
def add_products(left: Array, right: Array, small: int, out: Array) -> None:
    """Add ``left^T right`` to ``out``: ``[N, H], [N, I] -> [H, I]``."""
    rows = len(left)
    strip = _strip(left.shape[1], right.shape[1], rows, small)
    for begin in range(0, rows, strip):
        end = min(begin + strip, rows)
        _call(_TURNED, left[begin:end], right[begin:end], 1.0, out)


@compiled
def activate_rows(out: Array, start: Array | None, finish: Finish, first: int) -> None:
    """Add a row, ReLU and dropout, of rows ``first, first + 1, ...`` of some states, in place."""
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
            value = values[one] if start is None else values[one] + start[one]
            # Written so that NaN is kept as it is.
            dropped = value <= nothing or bits[one] < lowest
            values[one] = nothing if dropped else value * factor


@compiled
def pass_back_rows(
    grad: Array, out: Array, scale: float, x_grad: Array, total: Array | None
) -> None:
    """The gradient of ``activate_rows``, which passes where the output is not zero.

    The sum of each of its columns is added to ``total``.
    """
    factor, nothing = grad.dtype.type(scale), grad.dtype.type(0)
    for node in range(len(grad)):
        source, kept, target = grad[node], out[node], x_grad[node]
        for one in range(grad.shape[1]):
            value = source[one] * factor if kept[one] != nothing else nothing
            target[one] = value
            if total is not None:
                total[one] += value


@compiled
def sum_forward(
    tiles: Array, rows: Sums, states: tuple[Array, Array, Array], own: Array | None, end: End,
    out: Array,
) -> None:  # fmt: skip
    """Multiply the states, sum products over rows, add each node's own and the bias, activate."""
    (x, factors, bias), (finish, small, _) = states, end
    products = np.empty((_longest(tiles), out.shape[1]), x.dtype)
    for tile in range(len(tiles) - 1):
        begin, last = tiles[tile], tiles[tile + 1]
        span, target = (begin, last, begin), out[begin:last]
        multiply(x[begin:last], factors, small, 0.0, products)
        if own is None:
            _sum_rows(rows, products, span, bias, target)
            _finish(target, None, finish, begin)
        else:
            multiply(x[begin:last], own, small, 0.0, target)
            _sum_rows(rows, products, span, None, target)
            _finish(target, bias, finish, begin)


@compiled
def sum_forward_of_words(
    tiles: Array, named: tuple[Array, Array], rows: Sums, states: tuple[Array, Array, Array],
    own: Array | None, end: End, out: Array,
) -> None:  # fmt: skip
    """``sum_forward``, of states that are sums of two words'; rows name kinds.

    ``named`` are the kind of each node and the two words of each kind.
    """
    (x, factors, bias), (finish, small, _) = states, end
    of_node, of_kind = named
    of_words = np.empty((len(x), out.shape[1]), x.dtype)
    multiply(x, factors, small, 0.0, of_words)
    products = _pair(of_words, of_kind)
    if own is not None:
        multiply(x, own, small, 0.0, of_words)
        own_products = _pair(of_words, of_kind)
    for tile in range(len(tiles) - 1):
        begin, last = tiles[tile], tiles[tile + 1]
        span, target = (begin, last, 0), out[begin:last]
        if own is None:
            _sum_rows(rows, products, span, bias, target)
            _finish(target, None, finish, begin)
        else:
            _take_named(own_products, of_node[begin:last], target)
            _sum_rows(rows, products, span, None, target)
            _finish(target, bias, finish, begin)


@compiled
def sum_backward(
    tiles: Array, rows: Sums, states: tuple[Array, Array, Array, Array], own: Own, end: End,
    found: tuple[Array, Array, Array],
) -> None:  # fmt: skip
    """The gradients of ``sum_forward``; ``rows`` are the transposed ones.

    With the figures of a norm that followed, ``grad`` is what ``normal_backward`` gives.
    """
    (x, factors, out, grad), (own_factors, own_grad) = states, own
    (finish, small, normal), (x_grad, factors_grad, bias_grad) = end, found
    shape = (_longest(tiles), grad.shape[1])
    received_room, summed_room = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    nothing = np.zeros(grad.shape[1], x.dtype)
    for tile in range(len(tiles) - 1):
        begin, last = tiles[tile], tiles[tile + 1]
        received, summed = received_room[: last - begin], summed_room[: last - begin]
        _receive(grad[begin:last], out[begin:last], finish, normal, received, bias_grad)
        _sum_rows(rows, received, (begin, last, begin), nothing, summed)
        # Products with one input follow each other, while it is in the cache.
        multiply(summed, factors, small, 0.0, x_grad[begin:last])
        _multiply_own(received, own_factors, small, x_grad[begin:last])
        add_products(summed, x[begin:last], small, factors_grad)
        _add_own(received, x[begin:last], small, own_grad)


@compiled
def sum_backward_to_words(
    tiles: Array, named: tuple[Array, Array], rows: Sums,
    states: tuple[Array, Array, Array, Array], own: Own, end: End,
    found: tuple[Array, Array, Array],
) -> None:  # fmt: skip
    """The gradients of ``sum_forward_of_words``; ``rows``, the transposed ones, name nodes."""
    (x, factors, out, grad), (own_factors, own_grad) = states, own
    (finish, small, normal), (x_grad, factors_grad, bias_grad) = end, found
    of_node, of_kind = named
    shape = (_longest(tiles), grad.shape[1])
    received_room, summed_room = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    nothing = np.zeros(grad.shape[1], x.dtype)
    summed_of_kind = np.zeros((len(of_kind), grad.shape[1]), x.dtype)
    received_of_kind = np.zeros_like(summed_of_kind)
    for tile in range(len(tiles) - 1):
        begin, last = tiles[tile], tiles[tile + 1]
        received, summed = received_room[: last - begin], summed_room[: last - begin]
        _receive(grad[begin:last], out[begin:last], finish, normal, received, bias_grad)
        _sum_rows(rows, received, (begin, last, begin), nothing, summed)
        _add_to_named(of_node[begin:last], summed, summed_of_kind)
        if own_grad is not None:
            _add_to_named(of_node[begin:last], received, received_of_kind)
    summed_of_word = _add_pairs(summed_of_kind, of_kind, len(x))
    multiply(summed_of_word, factors, small, 0.0, x_grad)
    add_products(summed_of_word, x, small, factors_grad)
    if own_grad is not None:
        received_of_word = _add_pairs(received_of_kind, of_kind, len(x))
        _multiply_own(received_of_word, own_factors, small, x_grad)
        _add_own(received_of_word, x, small, own_grad)


@compiled
def _pair(x: Array, pairs: Array) -> Array:
    """The sum of the two rows that each pair names."""
    out = np.empty((len(pairs), x.shape[1]), x.dtype)
    for pair in range(len(pairs)):
        one, other, target = x[pairs[pair, 0]], x[pairs[pair, 1]], out[pair]
        for column in range(x.shape[1]):
            target[column] = one[column] + other[column]
    return out


@compiled
def _add_pairs(x: Array, pairs: Array, rows: int) -> Array:
    """``rows`` sums of rows of ``x``, each of which is added to the two that its pair names."""
    out = np.zeros((rows, x.shape[1]), x.dtype)
    for pair in range(len(pairs)):
        source, one, other = x[pair], out[pairs[pair, 0]], out[pairs[pair, 1]]
        for column in range(x.shape[1]):
            one[column] += source[column]
            other[column] += source[column]
    return out


@compiled
def _multiply_own(received: Array, own: Array | None, small: int, x_grad: Array) -> None:
    if own is not None:
        multiply(received, own, small, 1.0, x_grad)


@compiled
def _add_own(received: Array, x: Array, small: int, own_grad: Array | None) -> None:
    if own_grad is not None:
        add_products(received, x, small, own_grad)


@compiled
def _add_row(out: Array, row: Array) -> None:
    for node in range(len(out)):
        target = out[node]
        for one in range(out.shape[1]):
            target[one] += row[one]


@compiled
def _take_named(x: Array, names: Array, out: Array) -> None:
    for node in range(len(out)):
        out[node] = x[names[node]]


@compiled
def _add_to_named(names: Array, x: Array, out: Array) -> None:
    """Add each row of ``x`` to the row that it names."""
    for node in range(len(x)):
        source, target = x[node], out[names[node]]
        for one in range(x.shape[1]):
            target[one] += source[one]


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
    tiles: Array, x: Array, line: tuple[Array, Array], layer: tuple[Array, Array], end: End,
    out: Array,
) -> None:  # fmt: skip
    """Scale and shift, ReLU, multiply, add the bias, activate."""
    (factors, bias), (finish, small, _) = layer, end
    room = np.empty((_longest(tiles), x.shape[1]), x.dtype)
    for tile in range(len(tiles) - 1):
        begin, last = tiles[tile], tiles[tile + 1]
        inner, target = room[: last - begin], out[begin:last]
        _rectify(x[begin:last], line, inner)
        multiply(inner, factors, small, 0.0, target)
        _finish(target, bias, finish, begin)


@compiled
def normal_backward(
    tiles: Array, states: tuple[Array, Array, Array, Array], line: tuple[Array, Array],
    normal: tuple[Array, Array], end: End, found: tuple[Array, Array, Array, Array, Array],
) -> None:  # fmt: skip
    """The gradients of ``normal_forward``, that of ``x`` as if nothing depended on all of it.

    Source: Ioffe and Szegedy, "Batch Normalization", ICML 2015, section 3.
    """
    x, weight, out, grad = states
    (mean, inverse), (finish, small, _) = normal, end
    x_grad, weight_grad, bias_grad, normal_grad, shift_grad = found
    longest, width = _longest(tiles), x.shape[1]
    room, nothing = np.empty((longest, grad.shape[1]), x.dtype), x.dtype.type(0)
    inner_room = np.empty((longest, width), x.dtype)
    for tile in range(len(tiles) - 1):
        begin, last = tiles[tile], tiles[tile + 1]
        received, inner = room[: last - begin], inner_room[: last - begin]
        _receive(grad[begin:last], out[begin:last], finish, None, received, bias_grad)
        _rectify(x[begin:last], line, inner)
        add_products(received, inner, small, weight_grad)
        multiply(received, weight, small, 0.0, x_grad[begin:last])
        for node in range(begin, last):
            source, kept, target = x[node], inner[node - begin], x_grad[node]
            for one in range(width):
                target[one] = nothing if kept[one] <= nothing else target[one]
                shift_grad[one] += target[one]
                normal_grad[one] += target[one] * ((source[one] - mean[one]) * inverse[one])


@compiled
def _pass_norm_back(grad: Array, x: Array, normal: Normal, received: Array, total: Array) -> None:
    """The gradient before a norm, whose mean and deviation depend on all of ``x``."""
    scale, mean, shared, tilt = normal
    for node in range(len(x)):
        source, values, target = x[node], grad[node], received[node]
        for one in range(x.shape[1]):
            bent = shared[one] + (source[one] - mean[one]) * tilt[one]
            target[one] = scale[one] * (values[one] - bent)
        for one in range(x.shape[1]):
            total[one] += target[one]


@compiled
def _longest(tiles: Array) -> int:
    longest = 0
    for tile in range(len(tiles) - 1):
        longest = max(longest, tiles[tile + 1] - tiles[tile])
    return longest


@compiled
def _sum_rows(rows: Sums, x: Array, span: Span, start: Array | None, out: Array) -> None:
    """Sum for each node of a span the rows of ``x``, which begins at a base, that it names.

    A row is added that all sums start with, or what is in ``out`` where there is none.
    """
    # Arguments of their own, since what is done without one is decided by the argument's type.
    _sum_weighted(rows[0], rows[1], rows[2], x, span, start, out)


@compiled
def _sum_weighted(
    ends: Array, index: Array, weight: Array | None, x: Array, span: Span, start: Array | None,
    out: Array,
) -> None:  # fmt: skip
    begin, end, base = span
    width, whole = out.shape[1], x.dtype.type(1)
    for node in range(begin, end):
        target = out[node - begin]
        at, last = ends[node], ends[node + 1]
        if start is not None:
            if at + 1 < last:
                source, other = x[index[at] - base], x[index[at + 1] - base]
                share = whole if weight is None else weight[at]
                other_share = whole if weight is None else weight[at + 1]
                for one in range(width):
                    target[one] = start[one] + share * source[one] + other_share * other[one]
                at += 2
            else:
                for one in range(width):
                    target[one] = start[one]
        # Two at once, so that the sum is read and written half as often.
        while at + 1 < last:
            source, other = x[index[at] - base], x[index[at + 1] - base]
            share = whole if weight is None else weight[at]
            other_share = whole if weight is None else weight[at + 1]
            for one in range(width):
                target[one] += share * source[one] + other_share * other[one]
            at += 2
        if at < last:
            source = x[index[at] - base]
            share = whole if weight is None else weight[at]
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
def _finish(out: Array, start: Array | None, finish: Finish, first: int) -> None:
    """Add a row and activate, in place; rows count from the first."""
    active, _, zeros, _ = finish
    if active and zeros > 0:
        activate_rows(out, start, finish, first)
        return
    if start is not None:
        _add_row(out, start)
    if active:
        nothing = out.dtype.type(0)
        for node in range(len(out)):
            values = out[node]
            for one in range(out.shape[1]):
                values[one] = nothing if values[one] <= nothing else values[one]  # noqa: FURB136


@compiled
def _receive(
    grad: Array, out: Array, finish: Finish, normal: Normal | None, received: Array, total: Array
) -> None:
    """The gradient before the activation, or before a norm that was given ``out``.

    Its columns are added to ``total``, which is the bias's.
    """
    active, _, _, scale = finish
    if normal is not None:
        _pass_norm_back(grad, out, normal, received, total)
    elif active:
        pass_back_rows(grad, out, scale, received, total)
    else:
        received[:] = grad
        _add_columns(received, total)
