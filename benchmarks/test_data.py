"""How fast graphs become batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from harness.graphs.batch import collate


@pytest.mark.benchmark(group="collate 64 graphs")
def test_packed(benchmark, graphs):
    index = np.random.default_rng(0).permutation(len(graphs))[:64]
    benchmark(collate, graphs, index)


@pytest.mark.benchmark(group="collate 64 graphs")
def test_pyg(benchmark, graphs):
    single = [collate(graphs, np.array([one])) for one in range(64)]
    listed = [Data(x=one.x, edge_index=one.edge_index, y=one.y) for one in single]
    assert torch.equal(Batch.from_data_list(listed).y, torch.cat([one.y for one in single]))
    benchmark(Batch.from_data_list, listed)
