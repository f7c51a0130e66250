from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cells import DROPOUT, LAYERS, Cell, part_of
from harness.models.registry import model_values


@pytest.mark.parametrize("count", [10, 50, 64, 1000])
def test_parts_are_disjoint_drawn_alike_and_four_to_one(small_graphs, count):
    split = part_of(small_graphs, count)
    taken = np.concatenate([split.train, split.select])
    assert len(np.unique(taken)) == len(taken) == min(count, len(small_graphs))
    assert len(split.select) == len(taken) // 5
    again = part_of(small_graphs, count)
    assert np.array_equal(split.train, again.train)
    assert np.array_equal(split.select, again.select)


def test_another_seed_draws_others(small_graphs):
    drawn = [set(part_of(small_graphs, 20, seed).train.tolist()) for seed in range(2)]
    assert drawn[0] != drawn[1]


def test_the_engine_is_asked_for_the_references_architecture():
    values = model_values(Cell("gat", 256).selection)
    assert values == {"hidden": 256, "layers": LAYERS, "dropout": DROPOUT, "heads": 4}
