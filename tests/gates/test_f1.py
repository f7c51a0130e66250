"""F1 and its influence against scikit-learn, differentiation and the bootstrap."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score as reference

from harness.errors import UsageError
from harness.gates.estimate import estimate
from harness.gates.f1 import Contributions, Pair, Predictions, contributions, influence
from harness.metrics import f1_score


@st.composite
def runs(draw: st.DrawFn):
    m = draw(st.integers(2, 40))
    bits = st.lists(st.integers(0, 1), min_size=m, max_size=m)
    label = np.array(draw(bits))
    label[draw(st.integers(0, m - 1))] = 1
    return label, np.array(draw(bits))


def make(label: Any, predicted: Any, index: Any = None, group: Any = None):
    index = np.arange(len(label)) if index is None else index
    return Predictions(index, label, predicted, index if group is None else group)


def arrays_of(run: Predictions) -> dict[str, Any]:
    return {field.name: getattr(run, field.name) for field in fields(run)}


def draw_pair(
    rng: np.random.Generator, seed: int, size: int = 400, right: tuple[float, float] = (0.75, 0.8)
):
    index = np.sort(rng.choice(5 * size, size, replace=False))
    label = (rng.random(size) < 0.3).astype(np.int64)
    guesses = [np.where(rng.random(size) < share, label, 1 - label) for share in right]
    return Pair(seed, *(make(label, guess, index, index // 3) for guess in guesses))


@given(runs(), st.lists(st.sampled_from(["int64", "uint64", "uint8", "bool"]), min_size=2))
def test_f1_is_scikit_learns_whatever_the_whole_numbers(run: tuple[Any, Any], kinds: list[str]):
    label, predicted = (array.astype(kind) for array, kind in zip(run, kinds, strict=False))
    assert make(label, predicted).f1 == pytest.approx(reference(*run), abs=1e-12)


@given(runs(), st.data())
def test_another_run_on_the_same_gate_is_what_it_would_be_alone(
    run: tuple[Any, Any], data: st.DataObject
):
    label, predicted = run
    other = np.array(
        data.draw(st.lists(st.integers(0, 1), min_size=len(label), max_size=len(label)))
    )
    again, alone = make(label, predicted).again(other), make(label, other)
    assert arrays_of(again).keys() == arrays_of(alone).keys()
    for name, array in arrays_of(again).items():
        assert np.array_equal(array, arrays_of(alone)[name])
    assert (again.f1, again.positives) == (alone.f1, alone.positives)
    assert np.array_equal(again.shares, alone.shares)


@pytest.mark.parametrize("wrong", [[0, 1], [0, 1, 2], [0.0, 1.0, 0.0], [[0, 1, 1]]])
def test_another_run_must_fit_the_gate(wrong: Any):
    with pytest.raises(UsageError, match=r"predictions\.predicted"):
        make(np.array([0, 1, 1]), np.array([0, 1, 0])).again(np.array(wrong))


@given(runs())
def test_the_influence_of_all_samples_together_is_nothing(run: tuple[Any, Any]):
    assert influence(*run).sum() == pytest.approx(0, abs=1e-9)


@given(runs(), st.data())
def test_influence_is_the_derivative_by_a_samples_weight(run: tuple[Any, Any], data: st.DataObject):
    label, predicted = run
    m = len(label)
    i = data.draw(st.integers(0, m - 1))

    def f1_with(weight: float):
        # Mass moves to sample i from all: (1 - e) P + e delta_i.
        w = np.full(m, (1 - weight) / m)
        w[i] += weight
        return reference(label, predicted, sample_weight=w)

    step = 1e-6
    slope = (f1_with(step) - f1_with(-step)) / (2 * step)
    assert influence(label, predicted)[i] == pytest.approx(slope, abs=1e-4)


def test_contributions_are_the_difference_of_influences_summed_over_groups():
    rng = np.random.default_rng(0)
    pairs = [draw_pair(rng, seed, size=60) for seed in range(3)]
    table = contributions(pairs)
    assert list(table.groups) == sorted({g for pair in pairs for g in pair.baseline.group.tolist()})
    for k, pair in enumerate(pairs):
        ours, theirs = (influence(r.label, r.predicted) for r in (pair.baseline, pair.candidate))
        for column, group in enumerate(table.groups):
            inside = pair.baseline.group == group
            wanted = (theirs - ours)[inside].sum() / 60
            assert table.values[k, column] == pytest.approx(wanted, abs=1e-15)


def test_contributions_predict_the_bootstrap_variance_over_groups():
    rng = np.random.default_rng(1)
    pair = draw_pair(rng, 0, size=900)
    predicted_variance = (contributions([pair]).values ** 2).sum()
    groups = np.unique(pair.baseline.group)
    members = [np.flatnonzero(pair.baseline.group == group) for group in groups]
    drawn = []
    for _ in range(1500):
        chosen = rng.integers(0, len(groups), len(groups))
        rows = np.concatenate([members[g] for g in chosen])
        scores = [
            f1_score(r.label[rows], r.predicted[rows]) for r in (pair.baseline, pair.candidate)
        ]
        drawn.append(scores[1] - scores[0])
    assert predicted_variance == pytest.approx(np.var(drawn), rel=0.15)


def test_pairs_without_shared_groups_share_no_variance():
    rng = np.random.default_rng(2)
    pairs = []
    for seed in range(4):
        pair = draw_pair(rng, seed, size=50)
        apart = [
            Predictions(r.index + 10_000 * seed, r.label, r.predicted, r.group + 10_000 * seed)
            for r in (pair.baseline, pair.candidate)
        ]
        pairs.append(Pair(seed, *apart))
    table = contributions(pairs)
    assert estimate([0.01, 0.02, 0.03, 0.04], table.values).v_cov == 0


def test_identical_predictions_contribute_exactly_nothing():
    label = np.array([1, 0, 1, 0, 0])
    run = make(label, np.array([1, 1, 0, 0, 0]))
    assert not contributions([Pair(0, run, run)]).values.any()
    assert Pair(0, run, run).identical
    assert Pair(0, run, run).difference == 0.0


def test_no_pairs_have_no_groups():
    assert contributions([]).values.shape == (0, 0)
    assert contributions([]).between.shape == (0,)


@given(st.data(), st.sampled_from([1, 3, 10**12]))
def test_what_a_pair_shares_with_earlier_ones_is_read_off_the_table(data: st.DataObject, gap: int):
    row = st.dictionaries(st.integers(-20, 20), st.floats(-1, 1), max_size=12)
    rows = [dict(sorted(one.items())) for one in data.draw(st.lists(row, max_size=6))]
    table = Contributions(
        tuple(
            (gap * np.array(list(one), np.int64), np.array(list(one.values()), np.float64))
            for one in rows
        )
    )
    products = table.values @ table.values.T
    assert table.between == pytest.approx(np.tril(products, -1).sum(axis=1), abs=1e-12)


def test_the_order_of_the_samples_does_not_matter():
    rng = np.random.default_rng(4)
    pair = draw_pair(rng, 0)
    order = rng.permutation(len(pair.candidate.index))
    shuffled = Predictions(**{name: a[order] for name, a in arrays_of(pair.candidate).items()})
    same = Pair(0, pair.baseline, shuffled)
    assert same.difference == pytest.approx(pair.difference)
    assert contributions([same]).values == pytest.approx(contributions([pair]).values)
    twin = Predictions(**{name: a[order] for name, a in arrays_of(pair.baseline).items()})
    assert Pair(0, pair.baseline, twin).identical
    assert not pair.identical


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"label": np.array([0, 0, 0])}, "predictions.label"),
        ({"label": np.array([0, 1, 2])}, "predictions.label"),
        ({"predicted": np.array([0, 1])}, "predictions.predicted"),
        ({"predicted": np.array([0.0, 1.0, 0.0])}, "predictions.predicted"),
        ({"index": np.array([0, 1, 1])}, "predictions.index"),
        ({"group": np.array([[0], [1], [2]])}, "predictions.group"),
    ],
)
def test_predictions_that_cannot_be_scored_are_refused(change: dict[str, Any], named: str):
    arrays = {
        "index": np.arange(3),
        "label": np.array([0, 1, 1]),
        "predicted": np.array([0, 1, 0]),
        "group": np.arange(3),
    }
    Predictions(**arrays)
    with pytest.raises(UsageError) as caught:
        Predictions(**{**arrays, **change})
    assert caught.value.where == named


@pytest.mark.parametrize("name", ["index", "label", "group"])
def test_arms_that_were_asked_different_things_make_no_pair(name: str):
    pair = draw_pair(np.random.default_rng(0), 7)
    arrays = arrays_of(pair.candidate)
    arrays[name] = 1 - arrays[name] if name == "label" else arrays[name] + 1
    with pytest.raises(UsageError, match=f"the {name} of baseline and candidate differ") as caught:
        Pair(7, pair.baseline, Predictions(**arrays))
    assert caught.value.where == "pair with seed 7"
