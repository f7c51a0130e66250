"""The weighted sampler: draws with replacement, at the frequencies that it promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from harness.training.live import LiveRun

EPOCHS = 400


def drawn(run):
    """How often each training graph was drawn over many epochs."""
    places = np.concatenate([run.order(epoch) for epoch in range(EPOCHS)])
    return np.bincount(places, minlength=len(run.graphs))[run.train]


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_empirical_frequencies_are_the_expected_ones(make_spec, strength):
    run = LiveRun(make_spec(f"weighted_sampler[strength={strength}]"))
    label = run.graphs.label[run.train]
    count = np.array([(label == 0).sum(), (label == 1).sum()], dtype=float)
    expected = count[label] ** -strength
    expected *= EPOCHS * len(label) / expected.sum()
    assert chisquare(drawn(run), expected).pvalue > 1e-3


def test_at_full_strength_both_classes_are_drawn_equally_often(make_spec):
    run = LiveRun(make_spec("weighted_sampler"))
    times, label = drawn(run), run.graphs.label[run.train]
    by_class = [times[label == value].sum() for value in (0, 1)]
    assert chisquare(by_class).pvalue > 1e-3
    plain = [(label == value).sum() / len(label) * times.sum() for value in (0, 1)]
    assert chisquare(by_class, plain).pvalue < 1e-6


def test_an_epoch_is_as_long_as_without_it_and_follows_seed_and_epoch_alone(make_spec):
    one, other = (LiveRun(make_spec("weighted_sampler", seed=2)) for _ in range(2))
    assert len(one.order(0)) == len(one.train)
    assert set(one.order(0)) <= set(one.train)
    assert np.array_equal(one.order(3), other.order(3))
    assert not np.array_equal(one.order(3), one.order(4))
    assert len(set(one.order(0))) < len(one.train)
