"""Whether opening a stored data set and making a batch of it cost the same at any size."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.replicate import replicate
from harness.graphs.batch import collate
from harness.graphs.dataset import open_folder

SIZES = (2_000, 20_000, 200_000)


@pytest.fixture(scope="session")
def folders(graphs, tmp_path_factory):
    root = tmp_path_factory.mktemp("stores")
    return {size: replicate(graphs, size, root / str(size)).folder for size in SIZES}


@pytest.mark.parametrize("size", SIZES)
def test_open(benchmark, folders, size):
    benchmark.group = "open a stored data set"
    assert len(benchmark(open_folder, folders[size])) == size


@pytest.mark.parametrize("size", SIZES)
def test_collate_from_anywhere(benchmark, folders, size):
    benchmark.group = "collate 64 graphs drawn from a stored data set"
    graphs = open_folder(folders[size])
    random = np.random.default_rng(0)
    drawn = benchmark.pedantic(
        collate,
        setup=lambda: ((graphs, random.integers(0, size, 64)), {}),
        rounds=200,
        warmup_rounds=20,
    )
    assert drawn.num_graphs == 64
