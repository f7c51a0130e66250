"""Two machines share a campaign: neither trains what the other does, and none needs the other."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.errors import StoreError
from harness.files import write_whole
from harness.matrix.executor import Outcome
from harness.sharing.claims import LIFETIME, Claims, Owner
from harness.sharing.executor import LOOK, SAFE, SharedExecutor
from harness.training.checkpoint import LAST


class Inner:
    """Trials under way, which end when the test says so."""

    def __init__(self):
        self.free, self.ends, self.under_way = 4, [], {}

    running = property(lambda self: frozenset(self.under_way))

    def start(self, spec, data):
        self.under_way[spec.key] = spec
        return True

    def wait(self, seconds=0.5):
        ended, self.ends = self.ends, []
        for outcome in ended:
            del self.under_way[outcome.key]
        return ended

    def cancel(self, key):
        del self.under_way[key]
        return Outcome(key, "cancelled", 0.0)

    def stop(self):
        self.under_way.clear()


@pytest.fixture
def machines(make_judge, exchange_of):
    """Two machines, each with judge, inner executor, shared executor, clock and what it said."""

    def make(name):
        judge, clock, said, inner = (
            make_judge("planted_noop", store=name), SimpleNamespace(now=0.0), [], Inner(),
        )  # fmt: skip
        exchange = exchange_of(judge)
        claims = Claims(exchange.objects, Owner(name, 1, name), lambda: clock.now)
        shared = SharedExecutor(inner, exchange, claims, said.append, lambda: clock.now)
        return SimpleNamespace(
            judge=judge, inner=inner, shared=shared, clock=clock, said=said, exchange=exchange
        )

    return make("one"), make("two")


@pytest.fixture
def specs(machines):
    return list(machines[0].judge.plan.trials.values())


def _later(machine, seconds=LOOK):
    machine.clock.now += seconds
    return machine.shared.wait(0.0)


def test_what_one_trains_the_other_waits_for_and_takes_over(machines, specs, write_trial):
    one, two = machines
    spec = specs[0]
    assert one.shared.start(spec, None)
    assert not two.shared.start(spec, None)
    assert two.shared.elsewhere == {spec.key}
    assert two.inner.running == set()
    assert _later(two) == []
    write_trial(one.judge, spec.key, wrong=2)
    one.inner.ends = [Outcome(spec.key, "finished", 3.0)]
    assert one.shared.wait(0.0) == [Outcome(spec.key, "finished", 3.0)]
    assert _later(two) == [Outcome(spec.key, "finished", 1.0)]
    assert two.judge.store.finished(spec.key)
    assert two.shared.elsewhere == set()


def test_a_trial_of_a_machine_that_is_gone_is_taken_up_from_its_checkpoint(machines, specs):
    one, two = machines
    spec = specs[0]
    one.shared.start(spec, None)
    write_whole(one.judge.store.work(spec.key) / LAST, b"epoch 3")
    _later(one, SAFE)
    assert not two.shared.start(spec, None)
    _later(two, LIFETIME + 1)
    assert two.shared.elsewhere == set()
    assert two.shared.start(spec, None)
    assert (two.judge.store.work(spec.key) / LAST).read_bytes() == b"epoch 3"


def test_a_damaged_checkpoint_is_taken_back_so_that_no_machine_goes_on_from_it(machines, specs):
    one, two = machines
    spec = specs[0]
    one.shared.start(spec, None)
    last = one.judge.store.work(spec.key) / LAST
    write_whole(last, b"what a flaky disk left")
    _later(one, SAFE)
    last.unlink()
    one.inner.ends = [Outcome(spec.key, "damaged", 3.0)]
    assert one.shared.wait(0.0) == [Outcome(spec.key, "damaged", 3.0)]
    assert two.shared.start(spec, None)
    assert not (two.judge.store.work(spec.key) / LAST).exists()


def test_a_machine_that_is_stopped_leaves_its_checkpoints_and_claims(machines, specs):
    one, two = machines
    spec = specs[0]
    one.shared.start(spec, None)
    write_whole(one.judge.store.work(spec.key) / LAST, b"epoch 5")
    one.shared.stop()
    assert two.shared.start(spec, None)
    assert (two.judge.store.work(spec.key) / LAST).read_bytes() == b"epoch 5"


def test_a_result_that_comes_while_the_trial_runs_ends_it(machines, specs, write_trial):
    one, two = machines
    spec = specs[0]
    two.shared.start(spec, None)
    write_trial(one.judge, spec.key)
    one.exchange.push_trial(spec.key)
    assert _later(two) == [Outcome(spec.key, "finished", 1.0)]
    assert two.inner.running == set()


def test_without_the_others_a_machine_goes_on_alone_and_sends_later(
    machines, specs, write_trial, monkeypatch
):
    one, two = machines
    spec = specs[0]

    def lost(*parts):
        raise StoreError("cannot be reached: no route to host", where="s3://bucket")

    with monkeypatch.context() as patch:
        for name in ("get", "put", "put_new", "delete", "versions"):
            patch.setattr(one.exchange.objects, name, lost)
        assert one.shared.start(spec, None)
        write_trial(one.judge, spec.key)
        one.inner.ends = [Outcome(spec.key, "finished", 3.0)]
        assert [outcome.status for outcome in _later(one)] == ["finished"]
        assert len(one.said) == 1
        assert one.said[0].startswith("going on alone: s3://bucket: cannot be reached")
    _later(one)
    assert one.said[1:] == ["the shared results can be reached again"]
    assert _later(two) == [Outcome(spec.key, "finished", 1.0)]


def test_a_damaged_result_is_said_once_and_trained_anew(machines, specs):
    one, _ = machines
    spec = specs[0]
    one.exchange.objects.put(b"no zip", "trials", f"{spec.key}.zip")
    assert one.exchange.pull_trials(all_of_them=True) == []
    assert _later(one) == []
    _later(one)
    assert len(one.said) == 1
    assert "no bundle of a trial" in one.said[0]
    assert one.shared.start(spec, None)
    assert one.shared.cancel(spec.key).status == "cancelled"
