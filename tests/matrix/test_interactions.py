"""Pairs from stored trials and from whole campaigns whose interaction is known."""

from __future__ import annotations

import pytest

from harness.gates.words import Verdict
from harness.matrix.campaign import Campaign
from harness.matrix.events import TrialStarted
from harness.matrix.interactions import interaction_of
from harness.matrix.local import LocalExecutor
from harness.matrix.records import Failure
from harness.settings import TrainingSettings

NEITHER, BOTH, FIRST, SECOND = range(4)


@pytest.fixture
def pair(make_judge):
    """A judge with the one pair of two features that do nothing by themselves."""
    return make_judge("planted_noop,planted_insight", shape="pairs", budget=5)


@pytest.fixture
def write_seed(write_trial):
    """Store the four runs of a seed: ``write_seed(judge, 3, wrong=(9, 5, 5, 1))``."""

    def write(judge, seed, wrong=(8, 8, 8, 8), collapse=()):
        for arm, count in zip((NEITHER, FIRST, SECOND, BOTH), wrong, strict=True):
            key = judge.plan.features[0].cells[0].arms[arm][seed]
            rule = "one_class" if arm in collapse else None
            write_trial(judge, key, wrong=count, collapse=rule)

    return write


def read(judge):
    feature = judge.plan.features[0]
    return interaction_of(judge.results, feature, feature.cells[0])


def f1_of(judge, arm, seed):
    return judge.results.result(judge.plan.features[0].cells[0].arms[arm][seed]).f1


def test_it_is_read_from_the_four_arms_in_their_order(pair, write_seed):
    for seed in range(4):
        write_seed(pair, seed, wrong=(12 + seed, 9, 6, 1))
    found = read(pair)
    assert found.names == ("planted_noop", "planted_insight")
    assert found.seeds == (0, 1, 2, 3)
    for k, seed in enumerate(found.seeds):
        neither, both, first, second = (f1_of(pair, arm, seed) for arm in range(4))
        assert found.first[k] == pytest.approx(first - neither)
        assert found.second[k] == pytest.approx(second - neither)
        assert found.both[k] == pytest.approx(both - neither)
        assert found.values[k] == pytest.approx(both - first - second + neither)


def test_it_uses_every_seed_that_all_four_arms_have_and_no_other(pair, write_seed, write_trial):
    for seed in (0, 2, 3, 5, 11):
        write_seed(pair, seed)
    for arm in (NEITHER, BOTH, FIRST):
        write_trial(pair, pair.plan.features[0].cells[0].arms[arm][7], wrong=4)
    assert read(pair).seeds == (0, 2, 3, 5, 11)


@pytest.mark.parametrize("arm", [NEITHER, BOTH, FIRST, SECOND])
def test_a_seed_at_which_any_arm_collapsed_is_left_out(pair, write_seed, arm):
    for seed in range(5):
        write_seed(pair, seed, collapse=[arm] if seed == 1 else ())
    found = read(pair)
    assert (found.seeds, found.dropped) == ((0, 2, 3, 4), (1,))


def test_a_partial_collapse_is_one_here_too(pair, write_seed):
    """Below half the baseline's median, as the collapse gate says."""
    for seed in range(4):
        write_seed(pair, seed, wrong=(4, 40 if seed == 2 else 4, 4, 4))
    assert f1_of(pair, FIRST, 2) < f1_of(pair, NEITHER, 0) / 2
    assert read(pair).dropped == (2,)


def test_there_is_none_where_there_is_no_pair(make_judge):
    judge = make_judge("planted_noop")
    assert read(judge) is None


def test_each_round_wants_all_four_arms_of_its_seed(pair, write_seed):
    feature = pair.plan.features[0]
    (cell,) = feature.cells
    for seed in range(3):
        wanted = pair.cell(feature, cell, seed + 1).wanted
        assert wanted == tuple(arm[seed] for arm in cell.arms)
        write_seed(pair, seed)
    assert pair.cell(feature, cell, 3).pairs == 3


def test_the_verdict_is_that_of_both_against_the_baseline_whatever_the_parts_do(
    make_judge, write_seed
):
    """Parts that collapse or do harm are no part of the gates."""
    verdicts = []
    for name, harm, collapse in (("a", 8, ()), ("b", 30, (FIRST, SECOND))):
        judge = make_judge("planted_noop,planted_insight", shape="pairs", budget=5, store=name)
        for seed in range(10):
            write_seed(judge, seed, wrong=(12, harm, harm, 0), collapse=collapse)
        (cell,) = judge.verdict(judge.plan.features[0]).cells
        assert cell.gates["f1"].verdict is Verdict.PASS
        verdicts.append(cell.to_json())
    assert verdicts[0] == verdicts[1]


def test_a_part_that_fails_for_good_leaves_the_pair_its_verdict(pair, write_seed, write_trial):
    feature = pair.plan.features[0]
    (cell,) = feature.cells
    broken = cell.arms[SECOND][1]
    pair.store.fail(broken, Failure(kind="error", detail="it broke"))
    pair.failed.add(broken)
    for seed in range(10):
        for arm in (NEITHER, FIRST, BOTH, *((SECOND,) if seed != 1 else ())):
            write_trial(pair, cell.arms[arm][seed], wrong=8 if arm != BOTH else 0)
    progress = pair.progress(feature)
    assert progress.done
    assert progress.states[0].problem is None
    assert progress.states[0].cell.gates["f1"].verdict is Verdict.PASS
    assert 1 not in read(pair).seeds


def test_a_whole_campaign_finds_the_interactions_that_were_planted(make_judge, plugin, monkeypatch):
    """Two flips undo each other exactly, and a feature that does nothing interacts with none.

    So the flips' interaction is -2 times what one of them gives, and the others are 0, at every
    seed. Ten clean runs and times are other tests' matter.
    """
    monkeypatch.setattr("harness.matrix.judge.CLEAN_RUNS", 3)
    monkeypatch.setattr(Campaign, "_time", lambda self: None)
    judge = make_judge(
        "planted_flip,planted_flip_back,planted_noop", models="gcn[hidden=16]", shape="pairs",
        budget=3, all_gates=True,
        settings=TrainingSettings(epochs=8, learning_rate=0.02, batch_size=32, warmup_epochs=100),
    )  # fmt: skip
    events = []
    executor = LocalExecutor(judge.store, 2, 120.0, (plugin,))
    Campaign(judge, executor, events.append).run()
    started = [event.spec.key for event in events if isinstance(event, TrialStarted)]
    assert len(started) == len(set(started)) == 3 * 7, "trials are shared by the pairs"

    undone, *with_noop = (
        interaction_of(judge.results, feature, feature.cells[0]) for feature in judge.plan.features
    )
    assert undone.n == 3
    assert set(undone.both) == {0.0}
    assert undone.first == undone.second
    assert any(undone.first), "a flip by itself changes predictions"
    assert undone.values == tuple(-2 * gain for gain in undone.first)
    for found in with_noop:
        assert found.n == 3
        assert found.first == found.both == undone.first
        assert set(found.values) == set(found.second) == {0.0}
        assert "no sign that they need or hinder each other, interaction +0.0" in found.sentence
