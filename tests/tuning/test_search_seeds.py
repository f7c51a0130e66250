"""Seeds of a search are never a gate's, and in a run's own search no gate graph is seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config import RunConfig
from harness.errors import UsageError
from harness.matrix.plan import FIRST_SEARCH_SEED, SPARE_SEEDS
from harness.testing import planted_graphs
from harness.tuning.seeds import search_seeds, search_split


def test_no_gate_reaches_the_seeds_of_a_search():
    limits = RunConfig.model_fields["seeds"].metadata
    largest = next(one.le for one in limits if hasattr(one, "le"))
    assert largest + SPARE_SEEDS <= FIRST_SEARCH_SEED


@given(st.integers(0, 2**40), st.integers(1, 100))
def test_seeds_are_apart_from_every_gate_and_fit_a_split(seed, repeats):
    seeds = search_seeds(seed, repeats)
    assert len(set(seeds)) == repeats
    assert FIRST_SEARCH_SEED <= min(seeds) <= max(seeds) < 2**32


def test_searches_for_different_runs_have_different_seeds():
    assert not set(search_seeds(0, 100)) & set(search_seeds(1, 100))


def test_more_repeats_keep_the_first_seeds():
    assert search_seeds(3, 5)[:2] == search_seeds(3, 2)


@pytest.mark.parametrize("repeats", [0, 101])
def test_repeats_have_limits(repeats):
    with pytest.raises(UsageError, match="1 to 100"):
        search_seeds(0, repeats)


def test_a_seed_that_a_gate_may_use_is_refused(small_graphs):
    with pytest.raises(UsageError, match="may be a gate's"):
        search_split(small_graphs, FIRST_SEARCH_SEED - 1)


def test_a_split_has_no_part_to_be_judged_on(small_graphs):
    split = search_split(small_graphs, FIRST_SEARCH_SEED)
    assert np.array_equal(split.select, split.gate)
    assert not set(split.train) & set(split.select)


def test_within_a_run_only_its_train_and_select_graphs_are_used(make_spec, small_graphs):
    own = make_spec().split
    within = np.concatenate([own.train, own.select])
    split = search_split(small_graphs, FIRST_SEARCH_SEED, within)
    used = np.concatenate([split.train, split.select])
    assert sorted(used) == sorted(within)
    assert not set(used) & set(own.gate)
    assert np.array_equal(split.train, np.sort(split.train))


def test_groups_stay_together_within_a_run():
    graphs = planted_graphs(200)
    graphs = replace(graphs, group=(np.arange(200) // 4).astype(np.int32))
    within = np.flatnonzero(graphs.group % 5 != 0)
    split = search_split(graphs, FIRST_SEARCH_SEED, within)
    assert not set(graphs.group[split.train]) & set(graphs.group[split.select])
