"""Folds are scikit-learn's, graph by graph."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from harness.graphs.folds import stratified_group_folds


def of_sklearn(label, group, folds, seed):
    found = np.full(len(label), -1)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for number, (_, held) in enumerate(splitter.split(np.zeros(len(label)), label, group)):
        found[held] = number
    return found


@st.composite
def labelled_groups(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    graphs = draw(st.integers(60, 400))
    names = random.integers(-(10**6), 10**6, draw(st.integers(10, 300)))
    label = (random.random(graphs) < draw(st.floats(0.1, 0.9))).astype(np.int8)
    label[:20] = np.arange(20) % 2
    return label, random.choice(names, graphs)


@settings(max_examples=60)
@given(labelled_groups(), st.sampled_from([2, 3, 5, 7]), st.integers(0, 2**32 - 1))
def test_they_are_those_of_scikit_learn(data, folds, seed):
    wanted = of_sklearn(*data, folds, seed)
    assert np.array_equal(stratified_group_folds(*data, folds, seed), wanted)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("groups", ["own", "shared", "one_large"])
def test_ties_of_many_like_groups_are_broken_alike(groups, seed):
    """Groups of their own are all alike, so that each choice is between equal folds."""
    random = np.random.default_rng(seed)
    label = (random.random(3000) < 0.27).astype(np.int8)
    group = np.arange(3000)
    if groups == "shared":
        group //= 3
    elif groups == "one_large":
        group[:900] = 0
    wanted = of_sklearn(label, group, 5, seed)
    assert np.array_equal(stratified_group_folds(label, group, 5, seed), wanted)


def test_two_hundred_thousand_groups_take_seconds_at_most():
    label = (np.random.default_rng(0).random(200_000) < 0.3).astype(np.int8)
    stratified_group_folds(label[:1000], np.arange(1000), 5, 0)
    start = time.process_time()
    fold = stratified_group_folds(label, np.arange(200_000), 5, 0)
    assert time.process_time() - start < 10  # a quarter of one; hours in quadratic time
    assert np.ptp(np.bincount(fold)) <= 2
