"""Batches are cut from an order as long as they may be, and hold every graph once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.graphs.cutting import GIANT, cut, usual_graphs

NODES = st.lists(st.integers(1, 50), max_size=80).map(lambda sizes: np.array(sizes, np.int64))


def one_by_one(nodes, most_graphs, most_nodes, alone):
    """The same cuts by the plainest loop there is."""
    batches = []
    for size in nodes:
        last = batches[-1] if batches else None
        fits = last and len(last) < most_graphs
        fits = fits and (not most_nodes or sum(last) + size <= most_nodes)
        if fits and not (alone and max(size, *last) > alone):
            last.append(size)
        else:
            batches.append([size])
    return [0, *np.cumsum([len(batch) for batch in batches], dtype=int).tolist()]


@given(NODES, st.integers(1, 100), st.integers(0, 200), st.integers(0, 60))
def test_the_cuts_are_those_of_taking_graph_by_graph(nodes, most_graphs, most_nodes, alone):
    found = cut(nodes, most_graphs, most_nodes, alone)
    assert found.tolist() == one_by_one(nodes.tolist(), most_graphs, most_nodes, alone)


@given(NODES, st.integers(1, 100), st.integers(1, 200))
def test_no_batch_is_empty_or_exceeds_its_limits_unless_one_graph_does(nodes, graphs, most):
    bounds = cut(nodes, graphs, most)
    assert (bounds[0], bounds[-1]) == (0, len(nodes))
    for begin, end in pairwise(bounds):
        assert 1 <= end - begin <= graphs
        assert end - begin == 1 or nodes[begin:end].sum() <= most


@given(NODES, st.integers(1, 100))
def test_without_a_limit_on_nodes_all_batches_but_the_last_are_full(nodes, graphs):
    sizes = np.diff(cut(nodes, graphs))
    assert (sizes[:-1] == graphs).all()
    assert sizes.sum() == len(nodes)


def test_nothing_is_cut_into_nothing():
    nothing = np.array([], np.int64)
    assert cut(nothing, 8).tolist() == cut(nothing, 8, 100).tolist() == [0]


@pytest.mark.parametrize(
    ("nodes", "limits", "wanted"),
    [(100, (64, 0), 64), (100, (64, 1000), 10), (100, (4, 1000), 4), (5000, (64, 1000), 1)],
)
def test_usual_graphs_of_a_batch(nodes, limits, wanted):
    assert usual_graphs(nodes, *limits) == wanted


def test_usual_graphs_come_near_the_mean_of_real_cuts():
    nodes = np.random.default_rng(0).integers(5, 100, 20_000)
    mean = np.diff(cut(nodes, 64, 2000)).mean()
    assert usual_graphs(nodes.mean(), 64, 2000) == pytest.approx(mean, rel=0.05)


def test_a_giant_graph_is_put_beside_no_other():
    nodes = np.array([3, GIANT, GIANT + 1, 2, 10**6, 4, 4])
    assert cut(nodes, 64, alone=GIANT).tolist() == [0, 2, 3, 4, 5, 7]
