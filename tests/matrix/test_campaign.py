"""Whole campaigns on small data, with real processes: known answers, and nothing trained twice."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from harness.gates.words import Verdict
from harness.matrix import locks
from harness.matrix.campaign import Campaign
from harness.matrix.events import BlockTimed, TrialEnded, TrialStarted
from harness.matrix.executor import Outcome
from harness.matrix.local import LocalExecutor


@pytest.fixture
def run(plugin):
    def run_campaign(judge, jobs=2):
        events = []
        executor = LocalExecutor(judge.store, jobs, 120.0, (plugin,))
        Campaign(judge, executor, events.append).run()
        return events

    return run_campaign


def _started(events):
    return [event.spec.key for event in events if isinstance(event, TrialStarted)]


def test_an_arm_that_is_the_baseline_differs_by_exactly_nothing(make_judge, run):
    judge = make_judge("planted_noop", budget=5)
    run(judge)
    verdict = judge.verdict(judge.plan.features[0])
    assert set(verdict.cells[0].f1.evidence.differences) == {0.0}
    assert all(verdict.cells[0].f1.evidence.identical)
    assert verdict.verdict is not Verdict.PASS


def test_constant_logits_fail_the_collapse_gate_after_one_run(make_judge, run):
    judge = make_judge("planted_constant", budget=10)
    events = run(judge, jobs=1)
    verdict = judge.verdict(judge.plan.features[0])
    assert verdict.verdict is Verdict.FAIL
    assert verdict.cells[0].gates["collapse"].verdict is Verdict.FAIL
    assert len(_started(events)) == 2


def test_finished_trials_are_never_run_again(make_judge, run):
    first = _started(run(make_judge("planted_noop", budget=3)))
    assert len(first) == len(set(first)) >= 6
    assert _started(run(make_judge("planted_noop", budget=3))) == []
    judge = make_judge("planted_noop", budget=3)
    judge.store.drop(first[0])
    assert _started(run(judge)) == [first[0]]


class _Slow:
    """An executor in whose machine the trials of one arm never end."""

    free, elsewhere = 4, frozenset()

    def __init__(self, judge, write_trial, arm):
        self._judge, self._write, self._arm = judge, write_trial, arm
        self.under_way, self.cancelled = {}, []

    running = property(lambda self: frozenset(self.under_way))

    def start(self, spec, data):
        self.under_way[spec.key] = spec
        return True

    def wait(self):
        ends = [spec for spec in self.under_way.values() if spec.arm != self._arm or spec.seed == 0]
        for spec in ends:
            del self.under_way[spec.key]
            collapse = "one_class_twice" if spec.arm == self._arm else None
            self._write(self._judge, spec.key, collapse=collapse)
        return [Outcome(spec.key, "finished", 1.0) for spec in ends]

    def cancel(self, key):
        self.cancelled.append(self.under_way.pop(key))
        return Outcome(key, "cancelled", 1.0)

    def stop(self):
        assert not self.under_way


def test_a_trial_that_nobody_needs_any_more_is_ended(make_judge, write_trial):
    judge = make_judge("amp", budget=5)
    executor = _Slow(judge, write_trial, ("amp",))
    events = []
    Campaign(judge, executor, events.append).train()
    assert judge.verdict(judge.plan.features[0]).verdict is Verdict.FAIL
    assert executor.cancelled
    assert {spec.arm for spec in executor.cancelled} == {("amp",)}
    ended = [event.outcome.status for event in events if isinstance(event, TrialEnded)]
    assert ended.count("cancelled") == len(executor.cancelled)
    assert not judge.failed


def test_the_cheapest_next_step_goes_first(make_judge, run):
    asked = "planted_noop,planted_insight"
    judge = make_judge(asked, models="gcn,sage", budget=3, all_gates=True, blocks=3)
    events = run(judge, jobs=1)
    models = [event.spec.model for event in events if isinstance(event, TrialStarted)]
    assert models[:15] == ["gcn"] * 9 + ["sage"] * 6


def test_a_killed_worker_is_tried_again_and_a_raising_one_is_not(make_judge, run, tmp_path):
    judge = make_judge(f'planted_kill_once[mark="{tmp_path / "mark"}"]', budget=3)
    events = run(judge, jobs=1)
    ended = [event.outcome.status for event in events if isinstance(event, TrialEnded)]
    assert sorted(set(ended)) == ["finished", "killed"]
    assert ended.count("killed") == 1

    judge = make_judge("planted_crash", budget=3)
    events = run(judge, jobs=1)
    ended = [event.outcome.status for event in events if isinstance(event, TrialEnded)]
    assert ended.count("error") == 1
    assert judge.verdict(judge.plan.features[0]).verdict is Verdict.NOT_MEASURED


def test_a_slow_feature_fails_the_time_gate(make_judge, run):
    judge = make_judge("planted_sleep[share=6]", budget=3, all_gates=True, blocks=20)
    events = run(judge)
    result = judge.verdict(judge.plan.features[0]).cells[0].gates["time"]
    blocks = sum(isinstance(event, BlockTimed) for event in events)
    assert result.verdict is Verdict.FAIL, result.sentence
    assert 3 <= blocks < 20
    assert result.ratio > 1.5
    again = run(judge)
    assert not any(isinstance(event, BlockTimed) for event in again)


def test_blocks_that_another_run_timed_meanwhile_are_kept(make_judge, run, monkeypatch):
    judge = make_judge("planted_noop", budget=3, all_gates=True, blocks=3)
    run(judge)
    key = judge.plan.features[0].cells[0].timing
    timed = judge.store.read("blocks", key)
    path = judge.store.root / "blocks" / f"{key}.json"
    content = path.read_bytes()
    path.unlink()

    @contextmanager
    def waited_for(folder=None):
        path.write_bytes(content)
        yield

    monkeypatch.setattr(locks, "exclusive", waited_for)
    assert not any(isinstance(event, BlockTimed) for event in run(judge))
    assert judge.store.read("blocks", key) == timed
