"""Whether opening a stored data set and making a batch of it cost the same at any size."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from harness.graphs.batch import collate
from harness.graphs.dataset import open_folder, save

SIZES = (2_000, 20_000, 200_000)


def repeated(graphs, times):
    """The data set several times over, each graph in a group of its own."""
    arrays = {
        each.name: value
        for each in fields(graphs)
        if isinstance(value := getattr(graphs, each.name), np.ndarray)
    }
    pointers = {name for name in arrays if name.endswith("_ptr")}
    tiled = {
        name: np.tile(array, (times, *[1] * (array.ndim - 1)))
        for name, array in arrays.items()
        if name not in pointers
    }
    for name in pointers:
        tiled[name] = np.append(0, np.cumsum(np.tile(np.diff(arrays[name]), times)))
    tiled["group"] = np.arange(times * len(graphs), dtype=graphs.group.dtype)
    tags = {name: np.tile(codes, times) for name, codes in graphs.tags.items()}
    return replace(graphs, **tiled, tags=tags, folder=None)


@pytest.fixture(scope="session")
def folders(graphs, tmp_path_factory):
    root = tmp_path_factory.mktemp("stores")
    return {
        size: save(repeated(graphs, size // len(graphs)), root / str(size)).folder for size in SIZES
    }


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
