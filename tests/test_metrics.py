"""Metrics agree with scikit-learn, and the threshold sweep with trying every cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from harness.metrics import Confusion, auc, best_threshold, f1_by_cut, f1_score, predict

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")

UNIT = st.floats(0, 1, width=32)
FEW = st.sampled_from([0.0, 0.25, 0.5, 1.0])


@st.composite
def scored(draw, elements=UNIT | FEW, min_size=1):
    """Labels and probabilities, with ties."""
    probability = draw(st.lists(elements, min_size=min_size, max_size=40))
    label = draw(st.lists(st.integers(0, 1), min_size=len(probability), max_size=len(probability)))
    return np.array(label), np.array(probability, dtype=np.float32)


@given(scored(), UNIT)
def test_counts_and_ratios_are_those_of_scikit_learn(sample, threshold):
    label, probability = sample
    predicted = predict(probability, threshold)
    found = Confusion.of(label, predicted)
    wanted = reference.confusion_matrix(label, predicted, labels=[0, 1])
    assert [found.true_negative, found.false_positive] == wanted[0].tolist()
    assert [found.false_negative, found.true_positive] == wanted[1].tolist()
    assert found.precision == pytest.approx(reference.precision_score(label, predicted))
    assert found.recall == pytest.approx(reference.recall_score(label, predicted))
    assert found.f1 == pytest.approx(reference.f1_score(label, predicted))
    assert f1_score(label, predicted == 1) == found.f1
    if len(set(label)) == 2:
        wanted = reference.balanced_accuracy_score(label, predicted)
        assert found.balanced_accuracy == pytest.approx(wanted)


@given(scored())
def test_auc_is_that_of_scikit_learn(sample):
    label, probability = sample
    if len(set(label)) < 2:
        assert auc(label, probability) == 0.5
    else:
        assert auc(label, probability) == pytest.approx(reference.roc_auc_score(label, probability))


@given(scored())
def test_f1_of_every_cut_is_that_of_scikit_learn(sample):
    label, probability = sample
    cuts, f1 = f1_by_cut(label, probability)
    assert cuts.tolist() == np.unique(probability)[::-1].tolist()
    wanted = [reference.f1_score(label, probability >= cut, zero_division=0) for cut in cuts]
    assert f1 == pytest.approx(wanted)


def f1_at(label, probability, threshold):
    return Confusion.of(label, predict(probability, threshold)).f1


@given(scored())
def test_no_cut_gives_a_larger_f1_than_the_best_threshold(sample):
    label, probability = sample
    best = f1_at(label, probability, best_threshold(label, probability))
    assert all(f1_at(label, probability, cut) <= best + 1e-12 for cut in np.unique(probability))


@given(st.lists(st.integers(0, 1), min_size=1, max_size=20))
def test_neighbouring_doubles_are_told_apart(labels):
    label = np.array(labels)
    near = 0.5 + np.arange(len(label)) * 2**-53
    threshold = best_threshold(label, near)
    assert f1_at(label, near, threshold) == max(f1_at(label, near, cut) for cut in near)


@given(scored())
def test_the_threshold_lies_between_two_probabilities_and_is_the_equal_one_nearest_to_half(sample):
    label, probability = sample
    threshold = best_threshold(label, probability)
    cuts = np.unique(np.append(probability.astype(np.float64), 0.0))
    middles = (cuts[1:] + cuts[:-1]) / 2
    allowed = middles if probability.min() > 0 else np.append(middles, 0.0)
    assert np.isclose(allowed, threshold, rtol=0, atol=1e-12).any()
    best = f1_at(label, probability, threshold)
    equal = [cut for cut in allowed if f1_at(label, probability, cut) == best]
    assert abs(threshold - 0.5) == pytest.approx(min(abs(cut - 0.5) for cut in equal), abs=1e-12)


def test_without_a_positive_every_cut_is_as_good_and_the_one_nearest_to_half_is_taken():
    assert best_threshold(np.zeros(3, int), np.array([0.1, 0.45, 0.65])) == pytest.approx(0.55)


def test_a_perfect_ranking_is_cut_half_way():
    label = np.array([0, 0, 1, 1])
    assert best_threshold(label, np.array([0.1, 0.2, 0.8, 0.9])) == pytest.approx(0.5)


def test_a_probability_at_the_threshold_is_vulnerable():
    assert predict(np.array([0.3, 0.5, 0.7]), 0.5).tolist() == [0, 1, 1]


@given(scored(min_size=2), st.permutations(range(40)))
def test_order_of_the_graphs_does_not_matter(sample, order):
    label, probability = sample
    shuffled = np.array([place for place in order if place < len(label)])
    assert best_threshold(label, probability) == best_threshold(
        label[shuffled], probability[shuffled]
    )
    assert auc(label, probability) == pytest.approx(auc(label[shuffled], probability[shuffled]))
