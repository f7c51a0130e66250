"""Trials on a real cluster of several nodes: each where it belongs, none lost, the same bits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.cluster.node import run_trial
from harness.cluster.orders import News
from harness.matrix.campaign import Campaign
from harness.matrix.events import TrialEnded
from harness.matrix.local import LocalExecutor
from harness.training.checkpoint import LAST
from tests.matrix.conftest import PLUGIN

KINDS = ("t4", "a100")

pytestmark = pytest.mark.xdist_group("ray")


@pytest.fixture
def judge_of(make_judge):
    """A plan whose cells are of both kinds that the nodes declare; it trains on their CPUs."""

    def make(features="planted_noop", kinds=KINDS, **more):
        devices = dict.fromkeys(kinds, "cpu")
        return make_judge(features, hardware=list(kinds), devices=devices, **more)

    return make


def _folder(judge, spec):
    return Path(judge.plan.data[spec.data].folder)


def _spec(judge, kind="t4", arm="candidate"):
    (feature,) = judge.plan.features
    (cell,) = (one for one in feature.cells if one.hardware == kind)
    return judge.plan.trials[getattr(cell, arm)[0]]


@pytest.fixture
def run_alone(make_judge):
    """``run_alone(spec)``: its gate digest where this machine trains it."""

    def run(judge, spec):
        local = LocalExecutor(judge.store, 1, 120.0, (str(PLUGIN),))
        local.start(spec, _folder(judge, spec))
        outcomes = []
        while not outcomes:
            outcomes = local.wait(1.0)
        assert outcomes[0].status == "finished", judge.store.failure(spec.key)
        digest = judge.store.result(spec.key).gate_digest
        judge.store.drop(spec.key)
        return digest

    return run


def test_a_campaign_runs_every_trial_on_its_kind_of_node_and_says_what_a_local_one_says(
    judge_of, make_judge, on
):
    judge = judge_of(budget=3, blocks=3, all_gates=True)
    Campaign(judge, on(judge), lambda _: None).run()
    for key, spec in judge.plan.trials.items():
        if judge.results.has(key):
            assert judge.store.result(key).hardware.kind == spec.hardware
    here = make_judge("planted_noop", budget=3, blocks=3, all_gates=True, store="local")
    Campaign(here, LocalExecutor(here.store, 2, 120.0, (str(PLUGIN),)), lambda _: None).run()

    def figures(judge, cell):
        (feature,) = judge.plan.features
        decided = judge.cell(feature, cell, 3)
        digests = [
            judge.store.result(key).gate_digest for arm in cell.arms for key in arm
            if judge.results.has(key)
        ]  # fmt: skip
        f1 = decided.cell.gates["f1"]
        return f1.verdict, f1.decision.n, f1.decision.mean, digests

    (local,) = here.plan.features[0].cells
    for cell in judge.plan.features[0].cells:
        assert figures(judge, cell) == figures(here, local)
        blocks = judge.store.read("blocks", cell.timing)
        assert len(blocks) == 3
    assert not list(judge.store.root.glob("failures/*"))


@pytest.mark.slow
def test_a_trial_goes_on_elsewhere_from_its_checkpoint_when_its_node_is_killed(
    judge_of, nodes, cluster, on, until, run_alone
):
    judge = judge_of("planted_sleep[share=400]", kinds=("v100",))
    spec = _spec(judge, "v100")
    undisturbed = run_alone(judge, spec)
    executor = on(judge, train=_saves_often)
    with nodes.more("v100") as first:
        assert executor.start(spec, _folder(judge, spec))
        checkpoint = judge.store.work(spec.key) / LAST
        end = time.monotonic() + 60
        while not checkpoint.exists() and time.monotonic() < end:
            assert executor.wait(0.2) == []
        assert checkpoint.exists()
        nodes.kill(first)
        (lost,) = until(executor)
        assert lost.status == "lost"
    with nodes.more("v100"):
        cluster.look_again()
        assert executor.start(spec, _folder(judge, spec))
        (ended,) = until(executor)
    assert ended.status == "finished"
    assert judge.store.result(spec.key).gate_digest == undisturbed


def _saves_often(order):
    yield from run_trial(order, safe=0.0)


@pytest.mark.slow
def test_a_campaign_loses_nothing_when_a_node_is_killed(judge_of, nodes, on, cluster):
    judge = judge_of("planted_sleep[share=3]", kinds=("l4",), budget=3)
    ended = []
    with nodes.more("l4"), nodes.more("l4") as weak:
        cluster.look_again()

        def hear(event):
            if isinstance(event, TrialEnded):
                ended.append(event.outcome.status)
                if len(ended) == 1:
                    nodes.kill(weak)

        Campaign(judge, on(judge), hear).train()
    assert set(ended) <= {"finished", "lost", "cancelled"}
    (feature,) = judge.plan.features
    assert judge.progress(feature).done
    assert not list(judge.store.root.glob("failures/*"))


def test_a_cancelled_trial_is_ended_and_its_node_free_again(judge_of, on, until):
    judge = judge_of("planted_crash[way=hang]")
    executor = on(judge)
    hung = _spec(judge)
    assert executor.start(hung, _folder(judge, hung))
    assert executor.wait(3.0) == []
    assert executor.cancel(hung.key).status == "cancelled"
    assert executor.running == set()
    after = _spec(judge, arm="baseline")
    assert executor.start(after, _folder(judge, after))
    (outcome,) = until(executor)
    assert outcome.status == "finished"


def test_a_kind_has_no_more_trials_than_its_nodes_have_room_for(judge_of, on):
    judge = judge_of("planted_crash[way=hang]")
    executor = on(judge)
    t4 = [_spec(judge), _spec(judge, arm="baseline")]
    a100 = _spec(judge, "a100")
    assert executor.start(t4[0], _folder(judge, t4[0]))
    assert not executor.start(t4[1], _folder(judge, t4[1]))
    assert executor.start(a100, _folder(judge, a100))
    assert executor.free == 0


@pytest.mark.parametrize(
    ("way", "status", "detail"),
    [
        ("raise", "error", "feature 'planted_crash' in on_epoch_start"),
        ("kill", "killed", "SIGKILL"),
        ("hang", "timeout", "stopped after 8 s"),
    ],
)
def test_every_way_to_end_badly_is_recorded_as_on_one_machine(
    judge_of, on, until, way, status, detail
):
    judge = judge_of(f"planted_crash[way={way}]")
    spec = _spec(judge)
    # Long enough for a worker of a busy machine to begin, where the trial is not to time out.
    executor = on(judge, timeout=8.0 if way == "hang" else 120.0)
    executor.start(spec, _folder(judge, spec))
    (outcome,) = until(executor)
    assert outcome.status == status
    failure = judge.store.failure(spec.key)
    assert (failure.kind, failure.attempts) == (status, 1)
    assert detail in failure.detail


def test_a_damaged_checkpoint_is_removed_here_as_well_and_the_trial_begins_anew(
    judge_of, on, until
):
    judge = judge_of()
    spec = _spec(judge)
    last = judge.store.work(spec.key) / "last.pt"
    last.parent.mkdir(parents=True)
    last.write_bytes(b"what a flaky disk left")
    executor = on(judge)
    executor.start(spec, _folder(judge, spec))
    (outcome,) = until(executor)
    assert outcome.status == "damaged"
    assert "last.pt" in judge.store.failure(spec.key).detail
    assert not last.exists()
    executor.start(spec, _folder(judge, spec))
    (outcome,) = until(executor)
    assert outcome.status == "finished"


def test_a_trial_of_other_code_is_refused_by_the_node(judge_of, on, until):
    judge = judge_of()
    spec = _spec(judge).model_copy(update={"engine": "0" * 32})
    executor = on(judge)
    executor.start(spec, _folder(judge, spec))
    (outcome,) = until(executor)
    assert outcome.status == "error"
    said = judge.store.failure(spec.key).detail
    assert "other code here than where the plan was made: the training code" in said


def test_a_node_of_another_kind_than_it_declares_is_found_out(make_judge, cluster, on, until):
    judge = make_judge("planted_noop", hardware=["t4"], devices={"t4": "cpu"})
    executor = on(judge)
    executor._plugins = tuple(one for one in executor._plugins if one[0] != "as_declared.py")
    spec = _spec(judge)
    executor.start(spec, _folder(judge, spec))
    (outcome,) = until(executor)
    assert outcome.status == "error"
    assert "and the trial is one of t4" in judge.store.failure(spec.key).detail


def test_a_kind_that_no_node_has_is_waited_for_and_then_given_up(judge_of, on, until, said):
    judge = judge_of(kinds=("h100",))
    spec = _spec(judge, "h100")
    executor = on(judge, no_node=2.0)
    assert executor.start(spec, _folder(judge, spec))
    (outcome,) = until(executor)
    assert outcome.status == "error"
    assert judge.store.failure(spec.key).detail == "no node of the cluster was h100 for 2 s"
    assert said == ["no node of the cluster is h100: its trials wait for one"]


def test_what_a_node_sends_is_believed_no_further_than_it_can_be_checked(judge_of, on, until):
    judge = judge_of()
    spec = _spec(judge)
    executor = on(judge, train=_lies)
    executor.start(spec, _folder(judge, spec))
    (outcome,) = until(executor)
    assert outcome.status == "error"
    assert not judge.store.finished(spec.key)
    assert "from its node" in judge.store.failure(spec.key).detail


def test_a_task_that_fails_around_a_trial_is_the_trials_error(judge_of, on, until):
    judge = judge_of()
    spec = _spec(judge)
    executor = on(judge, train=_cannot_begin)
    executor.start(spec, _folder(judge, spec))
    (outcome,) = until(executor)
    assert outcome.status == "error"
    said = judge.store.failure(spec.key).detail
    assert said.startswith("the task on the node failed:")
    assert "No module named 'missing'" in said


def _cannot_begin(order):
    del order
    yield News("running")
    raise ModuleNotFoundError("No module named 'missing'")


def _lies(order):
    del order
    yield News("running")
    yield News("finished", b"no bundle")


@pytest.mark.slow
def test_a_timing_goes_on_on_another_node_when_its_node_is_killed(judge_of, nodes, cluster, on):
    judge = judge_of(kinds=("p100",), blocks=3)
    spec, other = _spec(judge, "p100", "baseline"), _spec(judge, "p100")
    order = ["baseline", "candidate", "candidate", "baseline"]
    with nodes.more("p100") as first:
        cluster.look_again()
        timed = on(judge).timed(spec, other, _folder(judge, spec), judge.plan.timing)
        with timed as held:
            block = held.block(order)
            assert block["order"] == order
            nodes.kill(first)
            with nodes.more("p100"):
                assert len(held.block(order)["baseline"]) == 2
