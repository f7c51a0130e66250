"""Each loop against numpy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness.graphs import joining


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    """No example is the one that compiles."""
    none, ends = np.zeros((1, 2), np.int64), np.zeros(2, np.int32)
    joining.find_words(none)
    joining.sort_by(ends, ends, 1)
    joining.spread(ends)
    joining.with_self(ends, ends[:0])
    joining.tile(ends, 1)


@given(st.lists(st.integers(0, 6), max_size=40))
def test_sorting_by_a_key_is_stable(keys):
    key = np.array(keys, np.int32)
    ends, ordered = joining.sort_by(key, np.arange(len(key), dtype=np.int32), 7)
    assert ordered.tolist() == np.argsort(key, kind="stable").tolist()
    assert ends.tolist() == [0, *np.cumsum(np.bincount(key, minlength=7))]


@given(st.lists(st.integers(0, 4), max_size=20))
def test_the_row_of_each_entry_is_numpys_repeat(lengths):
    ends = np.cumsum([0, *lengths]).astype(np.int32)
    assert joining.spread(ends).tolist() == np.repeat(np.arange(len(lengths)), lengths).tolist()


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=10))
def test_with_itself_each_row_begins_with_its_own_place(rows):
    ends = np.cumsum([0, *map(len, rows)]).astype(np.int32)
    index = np.array([one for row in rows for one in row], np.int32)
    bounds, longer = joining.with_self(ends, index)
    found = [longer[start:end].tolist() for start, end in itertools.pairwise(bounds)]
    assert found == [[place, *row] for place, row in enumerate(rows)]


@given(
    arrays.arrays(
        np.int64, st.tuples(st.integers(0, 60), st.just(2)), elements=st.integers(0, 2**40)
    )
    | arrays.arrays(np.int64, st.tuples(st.integers(0, 60), st.just(2)), elements=st.integers(0, 3))
)
def test_kinds_are_numpys_unique_rows_as_they_appear(x):
    kind, first = joining.find_kinds(x)
    assert len(first) == len(np.unique(x, axis=0))
    assert (np.diff(first) > 0).all()
    assert np.array_equal(x[first][kind], x)


@given(
    arrays.arrays(np.int64, st.tuples(st.integers(0, 60), st.just(2)), elements=st.integers(0, 9))
)
def test_words_are_the_distinct_ids_of_each_column_as_they_appear(x):
    types, tokens, places = joining.find_words(x)
    for column, ids in enumerate((types, tokens)):
        assert ids.tolist() == list(dict.fromkeys(x[:, column].tolist()))
    words = np.concatenate([types, tokens])
    assert np.array_equal(words[places], x)
    assert (places[:, 0] < len(types)).all()
    assert (places[:, 1] >= len(types)).all()


@given(st.lists(st.integers(1, 40), max_size=30), st.integers(1, 60))
def test_tiles_are_runs_of_whole_graphs_as_long_as_they_may_be(sizes, most):
    graph_ptr = np.cumsum([0, *sizes]).astype(np.int32)
    bounds = joining.tile(graph_ptr, most)
    assert bounds[0] == 0
    assert bounds[-1] == sum(sizes)
    assert set(bounds) <= set(graph_ptr)
    lengths = np.diff(bounds)
    for begin, length in zip(bounds, lengths, strict=False):
        assert length > 0
        assert length <= most or begin + length == graph_ptr[list(graph_ptr).index(begin) + 1]
    assert all(one + other > most for one, other in itertools.pairwise(lengths))
