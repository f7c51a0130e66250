from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.graphs.batch import collate
from harness.testing import planted_graphs


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def graphs():
    return planted_graphs(2000)


@pytest.fixture(scope="session")
def batch(graphs):
    return collate(graphs, np.arange(64), graphs.adjacency)
