"""Loops over tiles of rows, which encoders in one pass are made of.

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
    # The seed, how many of LEVELS are dropped, the scale of the others.
    Finish = tuple[int, int, float]
    # Of runs of whole graphs, and of graphs.
    Bounds = tuple[Array, Array]
    # Scale, mean, mean gradient, and what a deviation from the mean adds to it: each [H].
    Normal = tuple[Array, Array, Array, Array]
    # Mean and largest of each graph, and the node that each largest is of.
    Pooled = tuple[Array, Array]
    # Where each sum ends, what it names, and by how much each counts.
    Sums = tuple[Array, Array, Array | None]
    # The kind of each node, and the two words of each kind.
    Named = tuple[Array, Array]


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
    seed, zeros, scale = finish
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
def encode(
    bounds: Bounds, batch: tuple[Named, Sums, Sums], states: tuple[Array, Array, Array],
    own: Array | None, end: tuple[Array, Finish, int], found: tuple[Array, Array, Array],
) -> None:  # fmt: skip
    """Layers that multiply, sum over rows, add each node's own product and the bias, and activate.

    The first is of nodes whose states are sums of two words'; its rows name kinds. Each tile goes
    through all layers to the pooling before the next one begins.

    Args:
        bounds: ``[T + 1]`` of runs of whole graphs, ``[B + 1]`` of graphs.
        batch: kinds and words, the first layer's rows, which name kinds, and the others' rows.
        states: ``[V, H]`` of words, ``[L, H, H]`` factors, ``[L, H]`` biases.
        own: ``[L, H, H]`` factors of nodes' own states.
        end: ``[L]`` seeds, how to activate, how large a product may be that is not copied.
        found: ``[L, N, H]`` states, ``[B, 2 H]`` pooled, ``[B, H]`` places of the largest.
    """
    (tiles, graph_ptr), ((of_node, of_kind), kinds, nodes) = bounds, batch
    x, factors, biases = states
    (seeds, (_, zeros, scale), small), (outs, pooled, place) = end, found
    products = _of_kinds(x, factors[0], small, of_kind)
    if own is not None:
        own_products = _of_kinds(x, own[0], small, of_kind)
    room = np.empty((_longest(tiles), outs.shape[2]), x.dtype)
    graph = 0
    for tile in range(len(tiles) - 1):
        begin, last = tiles[tile], tiles[tile + 1]
        for layer in range(len(factors)):
            target, finish = outs[layer][begin:last], (seeds[layer], zeros, scale)
            rows, summed, span = kinds, products, (begin, last, 0)
            if layer > 0:
                multiply(outs[layer - 1][begin:last], factors[layer], small, 0.0, room)
                rows, summed, span = nodes, room, (begin, last, begin)
            if own is None:
                _sum_rows(rows, summed, span, biases[layer], target)
                _finish(target, None, finish, begin)
                continue
            if layer > 0:
                multiply(outs[layer - 1][begin:last], own[layer], small, 0.0, target)
            else:
                _take_named(own_products, of_node[begin:last], target)
            _sum_rows(rows, summed, span, None, target)
            _finish(target, biases[layer], finish, begin)
        graph = _pool_until(graph_ptr, graph, last, outs[len(factors) - 1], (pooled, place))


@compiled
def encode_back(
    bounds: Bounds, batch: tuple[Named, Sums], states: tuple[Array, Array, Array],
    own: Array | None, grad: Pooled, end: tuple[float, int, int], found: tuple[Array, Array, Array],
) -> None:  # fmt: skip
    """The gradients of ``encode``.

    Args:
        bounds: as there.
        batch: kinds and words, and the transposed rows.
        states: ``[V, H]`` of words, ``[L, H, H]`` weights, ``[L, N, H]`` that were found.
        own: ``[2, L, H, H]``, weights of nodes' own states and the sums of their gradients.
        grad: ``[B, 2 H]`` of what was pooled, ``[B, H]`` places of the largest.
        end: scale of what was not dropped, what is not copied, the lowest layer with a gradient.
        found: ``[V, H]`` gradient of words, ``[L, H, H]`` sums of weights', ``[L, H]`` of biases'.
    """
    (x, factors, outs), (scale, small, lowest) = states, end
    x_grad, factors_grad, bias_grad = found
    (tiles, graph_ptr), ((of_node, of_kind), rows) = bounds, batch
    shape, nothing = (_longest(tiles), outs.shape[2]), np.zeros(outs.shape[2], x.dtype)
    grads_room, received_room = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    summed_room = np.empty(shape, x.dtype)
    summed_of_kind = np.zeros((len(of_kind), outs.shape[2]), x.dtype)
    received_of_kind = np.zeros_like(summed_of_kind)
    graph = 0
    for tile in range(len(tiles) - 1):
        begin, last = tiles[tile], tiles[tile + 1]
        grads, received = grads_room[: last - begin], received_room[: last - begin]
        summed = summed_room[: last - begin]
        graph = _spread_until(graph_ptr, graph, last, grad, begin, grads)
        for layer in range(len(factors) - 1, lowest - 1, -1):
            pass_back_rows(grads, outs[layer][begin:last], scale, received, bias_grad[layer])
            _sum_rows(rows, received, (begin, last, begin), nothing, summed)
            if layer == 0:
                _add_to_named(of_node[begin:last], summed, summed_of_kind)
                if own is not None:
                    _add_to_named(of_node[begin:last], received, received_of_kind)
                continue
            below = outs[layer - 1][begin:last]
            # Products with one input follow each other, while it is in the cache.
            if layer > lowest:
                multiply(summed, factors[layer], small, 0.0, grads)
                if own is not None:
                    multiply(received, own[0, layer], small, 1.0, grads)
            add_products(summed, below, small, factors_grad[layer])
            if own is not None:
                add_products(received, below, small, own[1, layer])
    if lowest == 0:
        of_word = _add_pairs(summed_of_kind, of_kind, len(x))
        multiply(of_word, factors[0], small, 0.0, x_grad)
        add_products(of_word, x, small, factors_grad[0])
        if own is not None:
            of_word = _add_pairs(received_of_kind, of_kind, len(x))
            multiply(of_word, own[0, 0], small, 1.0, x_grad)
            add_products(of_word, x, small, own[1, 0])


@compiled
def sum_words(
    tiles: Array, of_kind: Array, rows: Sums, states: tuple[Array, Array, Array], small: int,
    found: tuple[Array, Array],
) -> None:  # fmt: skip
    """The sums of nodes whose states are sums of two words', before a norm; ``rows`` name kinds.

    Args:
        tiles: ``[T + 1]``, bounds of runs of whole graphs.
        of_kind: ``[U, 2]``, the words of each kind.
        rows: of kinds.
        states: ``[V, H]`` of words, ``[H, H]`` factors, ``[H]`` bias.
        small: how large a product may be that is not copied.
        found: ``[N, H]``, and ``[2, H]``, its mean and squared deviations, of no rows so far.
    """
    (x, factors, bias), (out, figures) = states, found
    products = _of_kinds(x, factors, small, of_kind)
    for tile in range(len(tiles) - 1):
        begin, last = tiles[tile], tiles[tile + 1]
        _sum_rows(rows, products, (begin, last, 0), bias, out[begin:last])
        _add_moments(out[begin:last], begin, figures)


@compiled
def normal_then_sum(
    tiles: Array, rows: Sums, before: tuple[Array, Array, Array], layer: tuple[Array, Array],
    following: tuple[Array, Array], end: tuple[Finish, int], found: tuple[Array, Array, Array],
) -> None:  # fmt: skip
    """From one norm to the next: scale, ReLU, multiply and activate; multiply and sum over rows.

    Args:
        tiles: ``[T + 1]``, bounds of runs of whole graphs.
        rows: of nodes.
        before: ``[N, H]`` before the norm, its ``[H]`` scale and shift.
        layer: ``[H, H]`` factors and ``[H]`` bias up to the activation.
        following: likewise, of the sums.
        end: how to activate, what is not copied.
        found: ``[N, H]`` activated, ``[N, H]`` summed, ``[2, H]`` its figures as in ``sum_words``.
    """
    (x, scale, shift), (factors, bias) = before, following
    (_, small), (out, sums, figures) = end, found
    shape = (_longest(tiles), x.shape[1])
    inner_room, products = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    for tile in range(len(tiles) - 1):
        begin, last = tiles[tile], tiles[tile + 1]
        there = x[begin:last], scale, shift
        _normal(there, layer, end, begin, inner_room, out[begin:last])
        multiply(out[begin:last], factors, small, 0.0, products)
        _sum_rows(rows, products, (begin, last, begin), bias, sums[begin:last])
        _add_moments(sums[begin:last], begin, figures)


@compiled
def normal_then_pool(
    bounds: Bounds, before: tuple[Array, Array, Array], layer: tuple[Array, Array],
    end: tuple[Finish, int], found: tuple[Array, Array, Array],
) -> None:  # fmt: skip
    """From the last norm to the pooling; arguments are as those of ``normal_then_sum``."""
    (tiles, graph_ptr), (x, scale, shift), (out, pooled, place) = bounds, before, found
    inner_room = np.empty((_longest(tiles), x.shape[1]), x.dtype)
    graph = 0
    for tile in range(len(tiles) - 1):
        begin, last = tiles[tile], tiles[tile + 1]
        there = x[begin:last], scale, shift
        _normal(there, layer, end, begin, inner_room, out[begin:last])
        graph = _pool_until(graph_ptr, graph, last, out, (pooled, place))


@compiled
def pool_back_to_norm(
    bounds: Bounds, grad: Pooled, states: tuple[Array, Array, Array],
    norm: tuple[Array, Array, Array, Array], end: tuple[float, int],
    found: tuple[Array, Array, Array, Array, Array],
) -> None:  # fmt: skip
    """The gradients of ``normal_then_pool``, that of ``x`` as if nothing depended on all of it.

    Source: Ioffe and Szegedy, "Batch Normalization", ICML 2015, section 3.

    Args:
        bounds: ``[T + 1]`` of runs of whole graphs, ``[B + 1]`` of graphs.
        grad: ``[B, 2 H]`` of what was pooled, ``[B, H]`` places of the largest.
        states: ``[N, H]`` before the norm, ``[H, H]`` weight, ``[N, H]`` activated.
        norm: ``[H]`` each: scale, shift, mean and inverse deviation.
        end: scale of what was not dropped, what is not copied.
        found: ``[N, H]`` gradient, and the sums of those of weight, bias, scale and shift.
    """
    (tiles, graph_ptr), (x, weight, out) = bounds, states
    grads_room = np.empty((_longest(tiles), out.shape[1]), x.dtype)
    inner_room, received_room = np.empty_like(grads_room), np.empty_like(grads_room)
    graph = 0
    for tile in range(len(tiles) - 1):
        begin, last = tiles[tile], tiles[tile + 1]
        grads = grads_room[: last - begin]
        graph = _spread_until(graph_ptr, graph, last, grad, begin, grads)
        there = (x[begin:last], weight, out[begin:last])
        _normal_back(grads, there, norm, end, (inner_room, received_room), (begin, last), found)


@compiled
def sum_back_to_norm(
    tiles: Array, rows: Sums, above: tuple[Normal, Array, Array],
    states: tuple[Array, Array, Array], norm: tuple[Array, Array, Array, Array],
    end: tuple[float, int],
    found: tuple[tuple[Array, Array], tuple[Array, Array, Array, Array, Array]],
) -> None:  # fmt: skip
    """The gradients of ``normal_then_sum``, from that behind the upper norm.

    Args:
        tiles: ``[T + 1]``, bounds of runs of whole graphs.
        rows: the transposed ones, of nodes.
        above: figures of the upper norm, ``[N, H]`` before it, the ``[H, H]`` weight of the sums.
        states: as in ``pool_back_to_norm``, of the lower norm.
        norm: likewise.
        end: likewise.
        found: the sums of the gradients of that weight and of its bias; what is found in
            ``pool_back_to_norm``, whose gradient holds that behind the upper norm before.
    """
    (normal, hidden, factors), (x, weight, out), (_, small) = above, states, end
    (factors_grad, bias_grad), below = found
    grad = below[0]
    shape, nothing = (_longest(tiles), x.shape[1]), np.zeros(x.shape[1], x.dtype)
    grads_room, summed_room = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    inner_room, received_room = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    for tile in range(len(tiles) - 1):
        begin, last = tiles[tile], tiles[tile + 1]
        grads, received = grads_room[: last - begin], received_room[: last - begin]
        summed = summed_room[: last - begin]
        _pass_norm_back(grad[begin:last], hidden[begin:last], normal, received, bias_grad)
        _sum_rows(rows, received, (begin, last, begin), nothing, summed)
        multiply(summed, factors, small, 0.0, grads)
        add_products(summed, out[begin:last], small, factors_grad)
        there = (x[begin:last], weight, out[begin:last])
        rooms = (inner_room, received_room)
        _normal_back(grads, there, norm, end, rooms, (begin, last), below)


@compiled
def sum_back_to_words(
    tiles: Array, batch: tuple[Named, Sums], above: tuple[Normal, Array, Array],
    states: tuple[Array, Array], small: int, found: tuple[Array, Array, Array],
) -> None:  # fmt: skip
    """The gradients of ``sum_words``, from that behind the norm that followed.

    Args:
        tiles: ``[T + 1]``, bounds of runs of whole graphs.
        batch: kinds and words, and the transposed rows.
        above: figures of the norm, ``[N, H]`` before it, and ``[N, H]`` the gradient behind it.
        states: ``[V, H]`` of words, ``[H, H]`` weight.
        small: how large a product may be that is not copied.
        found: ``[V, H]`` gradient, and the sums of those of weight and bias.
    """
    (normal, hidden, grad), (x, factors), (x_grad, factors_grad, bias_grad) = above, states, found
    (of_node, of_kind), rows = batch
    shape, nothing = (_longest(tiles), hidden.shape[1]), np.zeros(hidden.shape[1], x.dtype)
    received_room, summed_room = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    summed_of_kind = np.zeros((len(of_kind), hidden.shape[1]), x.dtype)
    for tile in range(len(tiles) - 1):
        begin, last = tiles[tile], tiles[tile + 1]
        received, summed = received_room[: last - begin], summed_room[: last - begin]
        _pass_norm_back(grad[begin:last], hidden[begin:last], normal, received, bias_grad)
        _sum_rows(rows, received, (begin, last, begin), nothing, summed)
        _add_to_named(of_node[begin:last], summed, summed_of_kind)
    of_word = _add_pairs(summed_of_kind, of_kind, len(x))
    multiply(of_word, factors, small, 0.0, x_grad)
    add_products(of_word, x, small, factors_grad)


@compiled
def pool(hidden: Array, graph_ptr: Array, pooled: Array, place: Array) -> None:
    """Add the mean of each graph's rows to zeros, put the largest of each column beside it.

    ``place`` says which row each largest is of.
    """
    width = hidden.shape[1]
    for graph in range(len(graph_ptr) - 1):
        mean, largest, where = pooled[graph, :width], pooled[graph, width:], place[graph]
        begin, end = graph_ptr[graph], graph_ptr[graph + 1]
        for node in range(begin, end):
            values = hidden[node]
            for one in range(width):
                mean[one] += values[one]
            for one in range(width):
                # Written so that NaN is the largest, and stays it.
                if node == begin or not values[one] <= largest[one]:
                    largest[one] = values[one]
                    where[one] = node
        for one in range(width):
            mean[one] /= max(end - begin, 1)


@compiled
def spread_back(
    grad: Array, graph_ptr: Array, place: Array, first: int, hidden_grad: Array
) -> None:
    """The gradient of ``pool``, of rows that count from a first one."""
    width = hidden_grad.shape[1]
    for graph in range(len(graph_ptr) - 1):
        begin, end = graph_ptr[graph], graph_ptr[graph + 1]
        mean, largest, where = grad[graph, :width], grad[graph, width:], place[graph]
        share = grad.dtype.type(1) / max(end - begin, 1)
        for node in range(begin, end):
            target = hidden_grad[node - first]
            for one in range(width):
                target[one] = mean[one] * share
        if begin < end:
            for one in range(width):
                hidden_grad[where[one] - first, one] += largest[one]


@compiled
def _pool_until(graph_ptr: Array, graph: int, last: int, hidden: Array, found: Pooled) -> int:
    """``pool`` the graphs from one on that end by node ``last``; gives the one after them."""
    pooled, place = found
    after = _graphs_until(graph_ptr, graph, last)
    pool(hidden, graph_ptr[graph : after + 1], pooled[graph:after], place[graph:after])
    return after


@compiled
def _spread_until(
    graph_ptr: Array, graph: int, last: int, grad: Pooled, first: int, hidden_grad: Array
) -> int:
    """``spread_back`` to the same graphs."""
    pooled_grad, place = grad
    after = _graphs_until(graph_ptr, graph, last)
    ends = graph_ptr[graph : after + 1]
    spread_back(pooled_grad[graph:after], ends, place[graph:after], first, hidden_grad)
    return after


@compiled
def _graphs_until(graph_ptr: Array, graph: int, last: int) -> int:
    """The first graph from one on that does not end by node ``last``."""
    while graph + 1 < len(graph_ptr) and graph_ptr[graph + 1] <= last:
        graph += 1
    return graph


@compiled
def _of_kinds(x: Array, factors: Array, small: int, of_kind: Array) -> Array:
    """What each kind of node is multiplied to, which is the sum of its two words' products."""
    of_words = np.empty((len(x), factors.shape[1]), x.dtype)
    multiply(x, factors, small, 0.0, of_words)
    return _pair(of_words, of_kind)


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
def _add_moments(x: Array, rows: int, figures: Array) -> None:
    """Take more rows into the mean and the sum of squared deviations of so many rows before.

    Source: Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing
    Sample Variances", 1979.
    """
    width = x.shape[1]
    mean, squares = np.zeros(width), np.zeros(width)
    _add_columns(x, mean)
    mean /= len(x)
    for node in range(len(x)):
        values = x[node]
        for one in range(width):
            deviation = values[one] - mean[one]
            squares[one] += deviation * deviation
    whole = rows + len(x)
    for one in range(width):
        step = mean[one] - figures[0, one]
        figures[0, one] += step * (len(x) / whole)
        figures[1, one] += squares[one] + step * step * (rows * len(x) / whole)


@compiled
def _normal(
    before: tuple[Array, Array, Array], layer: tuple[Array, Array], end: tuple[Finish, int],
    first: int, room: Array, out: Array,
) -> None:  # fmt: skip
    """Scale and shift, ReLU, multiply, add the bias, activate, of a tile."""
    (x, scale, shift), (factors, bias), (finish, small) = before, layer, end
    inner = room[: len(x)]
    _rectify(x, (scale, shift), inner)
    multiply(inner, factors, small, 0.0, out)
    _finish(out, bias, finish, first)


@compiled
def _normal_back(
    grad: Array, states: tuple[Array, Array, Array], norm: tuple[Array, Array, Array, Array],
    end: tuple[float, int], rooms: tuple[Array, Array], span: tuple[int, int],
    found: tuple[Array, Array, Array, Array, Array],
) -> None:  # fmt: skip
    """The gradients of ``_normal``."""
    (x, weight, out), (slope, shift, mean, inverse) = states, norm
    (scale, small), (begin, last) = end, span
    whole_grad, weight_grad, bias_grad, normal_grad, shift_grad = found
    inner, received, x_grad = rooms[0][: len(x)], rooms[1][: len(x)], whole_grad[begin:last]
    nothing = x.dtype.type(0)
    pass_back_rows(grad, out, scale, received, bias_grad)
    _rectify(x, (slope, shift), inner)
    add_products(received, inner, small, weight_grad)
    multiply(received, weight, small, 0.0, x_grad)
    for node in range(len(x)):
        source, kept, target = x[node], inner[node], x_grad[node]
        for one in range(x.shape[1]):
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
    if finish[1] > 0:
        activate_rows(out, start, finish, first)
        return
    nothing = out.dtype.type(0)
    for node in range(len(out)):
        values = out[node]
        for one in range(out.shape[1]):
            value = values[one] if start is None else values[one] + start[one]
            values[one] = nothing if value <= nothing else value  # noqa: FURB136 - keeps NaN
