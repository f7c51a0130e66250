"""Compiled loops do what Python would, on vectors, and let no NaN vanish."""

from __future__ import annotations

import numpy as np

from harness.compiled import compiled


@compiled
def _total(values):
    total = values.dtype.type(0)
    for value in values:
        total += value
    return total


def test_a_compiled_loop_gives_what_python_gives():
    values = np.random.default_rng(0).normal(size=1000)
    assert np.isclose(_total(values), sum(values))
    assert _total.py_func(values) == sum(values)


def test_it_is_compiled_for_each_type():
    assert type(_total(np.ones(3, np.float32))) is float
    assert {str(one[0].dtype) for one in _total.signatures} >= {"float32"}


def test_infinities_and_nan_are_kept():
    assert np.isnan(_total(np.array([1.0, np.nan])))
    assert np.isinf(_total(np.array([1.0, np.inf])))
    assert np.isnan(_total(np.array([np.inf, -np.inf])))
