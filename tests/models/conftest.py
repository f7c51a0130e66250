from __future__ import annotations

import numpy as np
import pytest

from harness.graphs.batch import collate
from harness.graphs.dataset import DatasetInfo, PackedGraphs


@pytest.fixture
def random_graphs():
    """Graphs with double edges and nodes without any; with or without self-loops and reverses."""

    def make(seed=0, count=6, *, symmetric=True, self_loops=False, max_nodes=9):
        random = np.random.default_rng(seed)
        nodes = random.integers(1, max_nodes + 1, count)
        edges = np.where(nodes > 1, random.integers(0, 3 * max_nodes, count), 0)
        owner = np.repeat(nodes, edges)
        source = (random.random(len(owner)) * owner).astype(np.int64)
        step = 1 + (random.random(len(owner)) * (owner - 1)).astype(np.int64)
        target = (source + step) % owner
        if self_loops:
            target = np.where(random.random(len(owner)) < 0.3, source, target)
        return PackedGraphs(
            info=DatasetInfo(
                name="random", source="random", num_types=5, num_tokens=7, symmetric=symmetric
            ),
            node_type=random.integers(0, 5, nodes.sum()).astype(np.uint8),
            node_token=random.integers(0, 7, nodes.sum()).astype(np.uint8),
            edge_source=source.astype(np.uint16),
            edge_target=target.astype(np.uint16),
            node_ptr=np.concatenate([[0], np.cumsum(nodes)]).astype(np.int64),
            edge_ptr=np.concatenate([[0], np.cumsum(edges)]).astype(np.int64),
            label=(np.arange(count) % 2).astype(np.int8),
            group=np.arange(count, dtype=np.int32),
        )

    return make


@pytest.fixture
def random_batch(random_graphs):
    """All graphs of a random set as one batch."""

    def make(seed=0, **more):
        graphs = random_graphs(seed, **more)
        return collate(graphs, np.arange(len(graphs)))

    return make
