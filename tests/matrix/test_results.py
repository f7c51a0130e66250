"""Finished trials are read once, and what the gates read of them is gathered once."""

from __future__ import annotations

import numpy as np
import pytest

from harness.gates.f1_gate import evidence
from harness.matrix.results import Results


@pytest.fixture
def judge(make_judge, write_trial):
    judge = make_judge("planted_noop")
    cell = judge.plan.features[0].cells[0]
    for seed in range(4):
        write_trial(judge, cell.baseline[seed], wrong=seed)
        write_trial(judge, cell.candidate[seed], wrong=2)
    return judge


def pairs_of(judge, results, count=4):
    cell = judge.plan.features[0].cells[0]
    return [results.pair(cell.baseline[seed], cell.candidate[seed]) for seed in range(count)]


def test_a_pair_is_two_trials_and_made_once(judge):
    results = judge.results
    pairs = pairs_of(judge, results)
    assert [pair.seed for pair in pairs] == [0, 1, 2, 3]
    assert all(one is other for one, other in zip(pairs, pairs_of(judge, results), strict=True))
    key = judge.plan.features[0].cells[0].baseline[1]
    assert pairs[1].baseline is results.predictions(key)


def test_remembered_evidence_is_that_of_the_pairs_and_no_others(judge):
    results = judge.results
    pairs = pairs_of(judge, results)
    for count in (4, 3, 4):
        found, wanted = results.evidence(pairs[:count]), evidence(pairs[:count])
        assert found.differences == wanted.differences
        assert np.array_equal(found.contributions.values, wanted.contributions.values)
    assert results.evidence(pairs) is results.evidence(list(pairs))


def test_a_reader_of_what_is_finished_by_now_sees_nothing_that_comes_later(judge, write_trial):
    candidate = judge.plan.features[0].cells[0].candidate
    finished = set(filter(judge.store.finished, judge.store.keys()))
    then = Results(judge.store, judge.results.folders, finished)
    write_trial(judge, candidate[4])
    assert [then.has(candidate[seed]) for seed in (3, 4)] == [True, False]
    assert [judge.results.has(candidate[seed]) for seed in (3, 4)] == [True, True]


def test_every_number_is_that_of_another_reader(judge):
    """Caches make no difference: two readers of one store find the same to the bit."""
    other = Results(judge.store, judge.results.folders)
    twice = [pairs_of(judge, results) for results in (judge.results, other)]
    ours, theirs = (
        results.evidence(pairs)
        for results, pairs in zip((judge.results, other), twice, strict=True)
    )
    assert ours.differences == theirs.differences
    assert np.array_equal(ours.contributions.groups, theirs.contributions.groups)


def test_without_predictions_there_is_no_pair(make_judge, write_trial):
    judge = make_judge("planted_noop")
    cell = judge.plan.features[0].cells[0]
    result, _ = write_trial(judge, cell.candidate[0], collapse="not_finite")
    judge.store.drop(cell.candidate[0])
    empty = result.model_copy(update={"gate_digest": None, "f1": None})
    judge.store.write(empty, None)
    write_trial(judge, cell.baseline[0])
    assert judge.results.pair(cell.baseline[0], cell.candidate[0]) is None
