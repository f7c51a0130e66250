from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.graphs.splits import split_by_seed, stored_split
from harness.testing import planted_graphs


@st.composite
def labelled_groups(draw):
    """Labels of groups of one to five graphs; a group can hold both labels."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=60, max_size=200))
    group = np.repeat(np.arange(len(sizes)), sizes)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    label = (random.random(len(group)) < draw(st.floats(0.15, 0.6))).astype(np.int8)
    order = random.permutation(len(group))
    return label[order], group[order]


@settings(max_examples=40)
@given(labelled_groups(), st.integers(0, 1000))
def test_parts_are_disjoint_cover_everything_and_keep_groups_and_shares(data, seed):
    label, group = data
    assume(min(len(np.unique(group[label == value])) for value in (0, 1)) >= 15)
    split = split_by_seed(label, group, seed)
    parts = [split.train, split.select, split.gate]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(label)))
    for part in parts:
        assert np.array_equal(part, np.sort(part))
    groups = [set(group[part]) for part in parts]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    for part, share in zip(parts, (0.6, 0.2, 0.2), strict=True):
        assert abs(len(part) / len(label) - share) < 0.12
        assert abs(label[part].mean() - label.mean()) < 0.15


def test_on_a_large_set_of_small_groups_the_shares_are_nearly_exact():
    random = np.random.default_rng(3)
    group = random.integers(0, 1500, 4000)
    label = (random.random(4000) < 0.2).astype(np.int8)
    split = split_by_seed(label, group, 0)
    for part, share in ((split.train, 0.6), (split.select, 0.2), (split.gate, 0.2)):
        assert len(part) / 4000 == pytest.approx(share, abs=0.01)
        assert label[part].mean() == pytest.approx(label.mean(), abs=0.01)


def test_a_seed_fixes_its_split_and_another_seed_is_another_split():
    random = np.random.default_rng(0)
    label, group = (random.random(500) < 0.3).astype(np.int8), random.integers(0, 200, 500)
    first, again, other = (split_by_seed(label, group, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.gate, again.gate)
    assert np.array_equal(first.train, again.train)
    assert len(np.intersect1d(first.gate, other.gate)) < 0.6 * len(first.gate)


def test_the_split_is_the_same_in_every_process():
    code = (
        "import numpy as np, hashlib\n"
        "from harness.graphs.splits import split_by_seed\n"
        "r = np.random.default_rng(0)\n"
        "s = split_by_seed((r.random(500) < .3).astype(np.int8), r.integers(0, 200, 500), 7)\n"
        "print(hashlib.sha256(s.train.tobytes() + s.select.tobytes()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("0", "1")
    }
    random = np.random.default_rng(0)
    label, group = (random.random(500) < 0.3).astype(np.int8), random.integers(0, 200, 500)
    split = split_by_seed(label, group, 7)
    here = hashlib.sha256(split.train.tobytes() + split.select.tobytes()).hexdigest()
    assert found == {f"{here}\n".encode()}


@pytest.mark.parametrize(
    ("label", "group"),
    [
        (np.zeros(100, np.int8), np.arange(100)),
        (np.ones(100, np.int8), np.arange(100)),
        (np.arange(100) % 2, np.arange(100) % 4),
        (np.r_[np.ones(4), np.zeros(96)].astype(np.int8), np.arange(100)),
        (np.zeros(0, np.int8), np.zeros(0, np.int32)),
    ],
)
def test_a_set_that_cannot_be_split_is_refused_with_its_numbers(label, group):
    with pytest.raises(DataError, match="needs at least 5 of each"):
        split_by_seed(label, group, 0)


def same(split, other):
    return all(
        np.array_equal(getattr(split, part), getattr(other, part))
        for part in ("train", "select", "gate")
    )


def test_a_stored_split_is_the_drawn_one_and_drawn_once(tmp_path, monkeypatch):
    graphs = planted_graphs(100)
    drawn = split_by_seed(graphs.label, graphs.group, 7)
    assert same(stored_split(graphs, 7, tmp_path), drawn)
    with monkeypatch.context() as patched:
        patched.delattr("harness.graphs.splits.split_by_seed")
        assert same(stored_split(graphs, 7, tmp_path), drawn)
    assert not same(stored_split(graphs, 8, tmp_path), drawn)
    assert not same(stored_split(planted_graphs(100, seed=1), 7, tmp_path), drawn)


def flipped(kept):
    return kept[:-1] + bytes([kept[-1] ^ 1])


@pytest.mark.parametrize("damage", [lambda kept: kept[:-1], flipped, lambda _: b""])
def test_a_damaged_stored_split_is_drawn_anew(tmp_path, damage):
    graphs = planted_graphs(100)
    wanted = stored_split(graphs, 7, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert same(stored_split(graphs, 7, tmp_path), wanted)
    assert len(path.read_bytes()) == 32 + 100
