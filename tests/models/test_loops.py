"""Products of tiles are numpy's in double precision, in strips or whole, wherever they lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.models import blas, loops

SIZES = st.integers(1, 70)
# Whole, strips that end within, and one row more than a strip.
SMALL = st.sampled_from([0, 12 * 64, 12 * 64 * 64, blas.small()])


def numbers(seed, *shape, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def apart(matrix):
    """The same rows, with others between them."""
    wide = np.full((len(matrix), 2 * matrix.shape[1] + 1), np.nan, matrix.dtype)
    wide[:, : matrix.shape[1]] = matrix
    return wide[:, : matrix.shape[1]]


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    """No example is the one that compiles."""
    square = numbers(1, 2, 2)
    for left in (square, apart(square)):
        loops.multiply(left, square, 0, 0.0, square.copy())
        loops.add_products(left, square, 0, square.copy())


@given(SIZES, SIZES, SIZES, SMALL, st.sampled_from([0.0, 1.0]), st.booleans())
def test_rows_are_multiplied(rows, terms, columns, small, share, spread):
    left, right = numbers(1, rows, terms), numbers(2, terms, columns)
    before = numbers(3, rows + 2, columns)
    out = before.copy()
    loops.multiply(apart(left) if spread else left, right, small, share, out)
    wanted = share * before[:rows].astype(float) + left.astype(float) @ right
    np.testing.assert_allclose(out[:rows], wanted, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(out[rows:], before[rows:])


@given(SIZES, SIZES, SIZES, SMALL, st.booleans())
def test_products_of_columns_are_added(rows, height, columns, small, spread):
    left, right = numbers(1, rows, height), numbers(2, rows, columns)
    before = numbers(3, height, columns)
    out = before.copy()
    loops.add_products(apart(left) if spread else left, right, small, out)
    wanted = before.astype(float) + left.T.astype(float) @ right
    np.testing.assert_allclose(out, wanted, rtol=1e-4, atol=1e-4)


def test_in_double_precision_they_are_exact():
    left, right = (numbers(seed, 40, 40, dtype=np.float64) for seed in (1, 2))
    out, total = np.empty((40, 40)), np.zeros((40, 40))
    loops.multiply(left, right, blas.small(), 0.0, out)
    loops.add_products(left, right, blas.small(), total)
    np.testing.assert_allclose(out, left @ right, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(total, left.T @ right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("small", [0, 12 * 8 * 8])
def test_nothing_is_left_of_what_was_there(small):
    out = np.full((30, 8), np.nan, np.float32)
    loops.multiply(numbers(1, 30, 8), numbers(2, 8, 8), small, 0.0, out)
    assert np.isfinite(out).all()


def test_of_no_rows_there_are_none():
    out, total = np.empty((0, 8), np.float32), numbers(3, 8, 8)
    loops.multiply(numbers(1, 0, 8), numbers(2, 8, 8), blas.small(), 0.0, out)
    before = total.copy()
    loops.add_products(numbers(1, 0, 8), numbers(2, 0, 8), blas.small(), total)
    np.testing.assert_array_equal(total, before)
