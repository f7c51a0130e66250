from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, recall_score

from harness.report.slices import FIFTHS, Predictions, all_slices, by_size, by_tag
from harness.testing import planted_graphs


def _seen(label, predicted, index=None):
    index = np.arange(len(label)) if index is None else index
    return Predictions(index, np.asarray(label, np.uint8), np.asarray(predicted, np.uint8))


@given(st.integers(0, 1000), st.integers(5, 200))
def test_fifths_divide_all_predictions_and_agree_with_scikit_learn(seed, count):
    random = np.random.default_rng(seed)
    nodes = random.integers(1, 50, count)
    label, predicted = random.integers(0, 2, (2, count))
    seen = _seen(label, predicted)
    found = list(by_size(seen, nodes))
    assert sum(one.seen for one, _ in found) == count
    assert all(one.seen + rest.seen == count for one, rest in found)
    assert len(found) <= FIFTHS
    for one, _ in found:
        low, high = map(int, one.name.split()[2:5:2])
        inside = (nodes >= low) & (nodes <= high)
        assert one.seen == inside.sum()
        wanted = [
            f(label[inside], predicted[inside], zero_division=0) for f in (f1_score, recall_score)
        ]
        assert [one.confusion.f1, one.confusion.recall] == pytest.approx(wanted)


def test_a_graph_that_several_gates_hold_is_counted_once():
    seen = _seen([1, 1, 0], [1, 0, 0], index=np.array([4, 4, 9]))
    ((one, rest),) = by_size(seen, np.full(10, 3))
    assert (one.graphs, one.positives, one.seen) == (2, 1, 3)
    assert rest.seen == 0


def test_always_safe_for_large_graphs_is_a_failure_and_noise_is_none():
    random = np.random.default_rng(0)
    nodes = random.integers(10, 500, 4000)
    label = (random.random(4000) < 0.3).astype(int)
    honest = np.where(random.random(4000) < 0.7, label, 1 - label)
    assert not [s for one, rest in by_size(_seen(label, honest), nodes) if (s := one.failure(rest))]
    blind = np.where(nodes > np.quantile(nodes, 0.8), 0, honest)
    failures = [s for one, rest in by_size(_seen(label, blind), nodes) if (s := one.failure(rest))]
    assert len(failures) == 1
    assert failures[0].startswith("always predicts safe for graphs of 4")


def test_few_vulnerable_graphs_prove_nothing():
    label = np.array([1] * 5 + [1] * 50 + [0] * 100)
    predicted = np.array([0] * 5 + [1] * 50 + [0] * 100)
    nodes = np.array([900] * 5 + [10] * 150)
    assert all(one.failure(rest) is None for one, rest in by_size(_seen(label, predicted), nodes))


def test_a_cwe_that_is_missed_is_named():
    random = np.random.default_rng(1)
    code = random.integers(0, 3, 3000)
    label = (random.random(3000) < 0.4).astype(int)
    predicted = np.where(random.random(3000) < 0.8, label, 1 - label)
    predicted[(code == 1) & (random.random(3000) < 0.6)] = 0
    slices = list(by_tag(_seen(label, predicted), "cwe", code, ["", "CWE-787", "CWE-416"]))
    assert [one.name for one, _ in slices] == sorted(
        ["cwe CWE-787", "cwe CWE-416"], key=[one.name for one, _ in slices].index
    )
    failures = [s for one, rest in slices if (s := one.failure(rest))]
    assert len(failures) == 1
    assert "among cwe CWE-787" in failures[0]


def test_graphs_without_tags_are_sliced_by_size_alone():
    graphs = planted_graphs(60)
    seen = _seen(graphs.label, graphs.label)
    assert list(all_slices(seen, graphs)) == ["size"]
