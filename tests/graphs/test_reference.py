from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score as sklearn_f1

from harness.graphs import reference
from harness.graphs.dataset import DatasetInfo, PackedGraphs
from harness.graphs.reference import (
    always_vulnerable_f1,
    bags,
    lowest_best_threshold,
    reference_figures,
    reference_scores,
)
from harness.graphs.splits import split_by_seed
from harness.metrics import f1_score
from harness.testing import planted_graphs

labels = st.lists(st.integers(0, 1), min_size=1, max_size=40)


@given(labels)
def test_always_vulnerable_is_the_f1_of_ones(label):
    expected = sklearn_f1(label, np.ones(len(label)), zero_division=0)
    assert always_vulnerable_f1(np.array(label)) == pytest.approx(expected)


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.7, 0.9])),
        min_size=1,
        max_size=30,
    ).filter(lambda pairs: any(label for label, _ in pairs))
)
def test_the_best_threshold_is_the_best_of_all(pairs):
    label, score = map(np.array, zip(*pairs, strict=True))
    threshold, found = lowest_best_threshold(label, score)
    assert found == pytest.approx(f1_score(label, score >= threshold))
    every = [f1_score(label, score >= cut) for cut in [0.0, *np.unique(score)]]
    assert found == pytest.approx(max(every))


def test_bags_are_logarithms_of_counts(make_graphs):
    graphs = make_graphs(30)
    found = bags(graphs).toarray()
    for place in range(30):
        nodes = slice(*graphs.node_ptr[place : place + 2])
        types = np.bincount(graphs.node_type[nodes], minlength=9)
        tokens = np.bincount(graphs.node_token[nodes], minlength=300)
        assert found[place] == pytest.approx(np.log1p(np.concatenate([types, tokens])))


def marked(count: int, *, by_token: bool, seed: int = 0) -> PackedGraphs:
    """Graphs in which a node type, or a token, tells the label."""
    random = np.random.default_rng(seed)
    nodes = np.full(count, 10)
    label = (random.random(count) < 0.3).astype(np.int8)
    mark = np.zeros((count, 10), np.int64)
    mark[:, 0] = label
    noise = random.integers(2, 8, (count, 10))
    names = random.integers(2, 60, (count, 10))
    first, second = (noise, np.where(mark, 1, names)) if by_token else (
        np.where(mark, 1, noise), names
    )  # fmt: skip
    return PackedGraphs(
        info=DatasetInfo(name="m", source="m", num_types=8, num_tokens=60, symmetric=True),
        node_type=first.ravel().astype(np.uint8),
        node_token=second.ravel().astype(np.uint8),
        edge_source=np.zeros(0, np.uint8),
        edge_target=np.zeros(0, np.uint8),
        node_ptr=np.concatenate([[0], np.cumsum(nodes)]),
        edge_ptr=np.zeros(count + 1, np.int64),
        label=label,
        group=np.arange(count, dtype=np.int32),
    )


@pytest.mark.parametrize("by_token", [True, False])
def test_what_a_bag_can_tell_the_regression_finds(by_token):
    graphs = marked(600, by_token=by_token)
    split = split_by_seed(graphs.label, graphs.group, 0)
    figures = reference_figures(graphs, split)
    assert figures.regression > 0.95
    assert figures.converged
    assert figures.tokens or not by_token
    share = graphs.label[split.gate].mean()
    assert figures.always_vulnerable == pytest.approx(2 * share / (1 + share))


def test_what_only_edges_tell_the_regression_does_not_find():
    graphs = planted_graphs(900, noise=0.0)
    figures = reference_figures(graphs, split_by_seed(graphs.label, graphs.group, 0))
    assert figures.regression < figures.always_vulnerable + 0.1


def test_labels_of_the_gate_are_not_looked_at():
    graphs = marked(400, by_token=True)
    split = split_by_seed(graphs.label, graphs.group, 0)
    label = graphs.label.copy()
    label[split.gate] = 1 - label[split.gate]
    one = reference_figures(graphs, split)
    other = reference_figures(replace(graphs, label=label), split)
    assert (one.threshold, one.strength, one.iterations) == (
        other.threshold,
        other.strength,
        other.iterations,
    )
    assert other.regression < one.regression


def test_the_same_split_gives_the_same_figures_as_plain_values():
    graphs = planted_graphs(300)
    split = split_by_seed(graphs.label, graphs.group, 3)
    scores = reference_scores(graphs, split)
    assert scores == reference_scores(graphs, split)
    assert json.loads(json.dumps(scores)) == scores
    assert {"always_vulnerable", "regression", "converged"} <= scores.keys()


def test_an_optimiser_that_did_not_come_to_its_end_says_so(monkeypatch):
    monkeypatch.setattr(reference, "MAX_ITERATIONS", 2)
    graphs = planted_graphs(300)
    figures = reference_figures(graphs, split_by_seed(graphs.label, graphs.group, 0))
    assert not figures.converged
    assert figures.iterations == 2


def test_references_cost_little():
    graphs = planted_graphs(8000)
    split = split_by_seed(graphs.label, graphs.group, 0)
    start = time.process_time()
    reference_figures(graphs, split)
    assert time.process_time() - start < 5
