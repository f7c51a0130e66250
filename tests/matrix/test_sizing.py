"""The choice of a batch size is a function of graphs, footprint and memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.graphs.cutting import cut
from harness.matrix.footprint import Footprint
from harness.matrix.sizing import FEWEST, MOST, STEPS, GraphSizes, amount, choose
from harness.testing import planted_graphs

MIB = 1 << 20
GIB = 1 << 30


def sizes(train=100_000, mean=100.0, sd=50.0, most=400):
    return GraphSizes(train, mean, sd, median=90, p95=300, most=most, edges=3.0)


RUNS = st.builds(
    lambda train, mean, sd, more, fixed, node: (
        sizes(train, mean, sd, int(mean + more)),
        Footprint(fixed, node),
    ),
    st.integers(1, 10**6), st.floats(1, 1e4), st.floats(0, 1e3), st.integers(1, 10**5),
    st.integers(0, 10**9), st.floats(1, 1e5),
)  # fmt: skip


@given(RUNS, st.integers(1, 10**12), st.sampled_from([0, 1000, 100_000]))
def test_it_is_the_largest_power_of_two_that_all_limits_leave(run, memory, most_nodes):
    found = choose({"it": run}, memory, most_nodes=most_nodes)
    graphs, footprint = run

    def allowed(size):
        steps = size <= FEWEST or graphs.train / size >= STEPS
        fits = footprint.of(graphs.nodes(size, most_nodes)) <= memory / 2
        return steps and size <= MOST and (fits or size == 1)

    powers = [2**power for power in range(12)]
    # Bytes do not fall as batches grow, so that no size beyond the first that is too large fits.
    assert found.size == max(size for size in powers if allowed(size))
    assert found.bytes == footprint.of(graphs.nodes(found.size, most_nodes))
    assert found.fits == (found.bytes <= memory / 2)


@given(RUNS, RUNS, st.integers(1, 10**12))
def test_several_runs_get_the_smallest_of_their_sizes(one, two, memory):
    alone = [choose({"it": run}, memory) for run in (one, two)]
    both = choose({"one": one, "two": two}, memory)
    assert both.size == min(each.size for each in alone)
    needs = [footprint.of(graphs.nodes(both.size)) for graphs, footprint in (one, two)]
    assert both.bytes == max(needs)
    assert both.what == ("one", "two")[int(np.argmax(needs))]


@pytest.mark.parametrize(
    ("train", "memory", "size", "why"),
    [
        (100_000, 64 * GIB, 256, "no better for learning"),
        (4800, 64 * GIB, 128, "an epoch keeps 20 steps"),
        (50, 64 * GIB, 16, "the data are few, and an epoch wants 20 steps"),
        (100_000, 20 * MIB, 32, "below half of the memory"),
        (100_000, 2 * MIB, 1, "below half of the memory"),
    ],
)
def test_the_reason_is_the_limit_that_binds(train, memory, size, why):
    found = choose({"it": (sizes(train), Footprint(MIB, 2000.0))}, memory)
    assert found.size == size
    assert found.why.endswith(why)
    assert found.fits == (memory > 2 * MIB)


def test_the_lines_say_what_it_takes_of_what_there_is():
    runs = {"sage on functions": (sizes(6200), Footprint(0, 10_000.0))}
    lines = list(choose(runs, round(11.2 * GIB)).lines())
    first, why, graphs, what = lines
    assert first == "batch size 256: about 267 MiB of 11.2 GiB, 25 steps an epoch"
    assert why == "  not larger: beyond this, larger batches are no better for learning"
    assert graphs.startswith("  graphs have 90 nodes by median, 300 at 95 %, 400 at most")
    assert what.endswith("by sage on functions")
    assert max(map(len, lines)) <= 80


def test_what_does_not_fit_is_said():
    *_, last = choose({"it": (sizes(), Footprint(GIB, 1.0))}, GIB).lines()
    assert "more than half of the memory" in last


def test_a_kept_size_stays_and_is_weighed_anew():
    run = {"it": (sizes(), Footprint(0, 1e5))}
    found = choose(run, 100 * MIB, fixed=64)
    assert (found.size, found.fits) == (64, False)
    assert "when this folder was begun" in found.why


@pytest.mark.parametrize("most_nodes", [0, 500, 2000])
@pytest.mark.parametrize("count", [8, 32])
def test_the_expected_batch_is_as_large_as_the_largest_of_real_epochs(count, most_nodes):
    graphs = planted_graphs(3000)
    said = GraphSizes.of(graphs)
    nodes = graphs.num_nodes
    largest = steps = 0
    for epoch in range(5):
        drawn = np.random.default_rng(epoch).permutation(nodes)[: said.train]
        bounds = cut(drawn, count, most_nodes)
        largest = max(largest, np.add.reduceat(drawn, bounds[:-1]).max())
        steps = len(bounds) - 1
    assert largest * 0.93 <= said.nodes(count, most_nodes) <= largest * 1.1
    assert said.steps(count, most_nodes) == pytest.approx(steps, rel=0.06)


def test_sizes_are_those_of_numpy():
    graphs = planted_graphs(500)
    found = GraphSizes.of(graphs)
    assert (found.mean, found.most) == (graphs.num_nodes.mean(), graphs.num_nodes.max())
    assert found.median == int(np.median(graphs.num_nodes))
    assert found.edges == pytest.approx(2 * (1 - 1 / found.mean))


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "2 KiB"), (310 * MIB, "310 MiB"),
     (11.2 * GIB, "11.2 GiB"), (5000 * GIB, "4.9 TiB")],
)  # fmt: skip
def test_bytes_as_people_say_them(size, said):
    assert amount(size) == said
