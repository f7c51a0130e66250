"""A repeated data set holds each graph as often as asked, and is a data set like any other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.replicate import replicate
from harness.graphs.batch import collate
from harness.graphs.dataset import verify


@pytest.fixture
def rich(small_graphs):
    """Small graphs with everything that a set can have."""
    count = len(small_graphs)
    info = small_graphs.info.model_copy(update={"content": "", "tags": {"language": ("c", "d")}})
    return replace(
        small_graphs,
        info=info,
        weight=np.linspace(0, 1, count, dtype=np.float32),
        graph_features=np.arange(2 * count, dtype=np.float32).reshape(count, 2),
        tags={"language": np.arange(count, dtype=np.int32) % 2},
    )


@pytest.mark.parametrize("count", [64, 200, 10])
def test_graphs_come_again_in_their_order(rich, tmp_path, count):
    found = replicate(rich, count, tmp_path / "large")
    verify(found, tmp_path / "large")
    assert len(found) == count
    assert len(np.unique(found.group)) == count
    places = np.arange(count)
    large, small = collate(found, places), collate(rich, places % len(rich))
    for name in ("x", "edge_index", "batch", "y", "weight", "graph_features"):
        assert torch.equal(getattr(large, name), getattr(small, name))
    assert np.array_equal(found.tags["language"], rich.tags["language"][places % len(rich)])
