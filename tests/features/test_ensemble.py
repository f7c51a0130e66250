"""Ensembles: what sets members apart, how they are averaged, what they give back and resume."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from features.ensemble import EDGE, Ensemble, Member, averaged, bagged, join, log_odds
from harness.feature import Claim, Feature
from harness.files import read_json
from harness.metrics import best_threshold, predict
from harness.models import DataShape, call_model, make_model
from harness.result import Collapse, Scores
from harness.selection import parse_single
from harness.testing import differences, planted_graphs
from harness.training import checkpoint
from harness.training.evaluate import select_metrics
from harness.training.fit import FitSession, fit
from harness.training.live import LiveRun


def fits_of(feature, spec):
    """What an ensemble gives, and the specs and results of its members."""
    seen = []

    def watched(one):
        seen.append((one, fit(one)))
        return seen[-1][1]

    return feature.around_fit(watched, spec), seen


# Members -------------------------------------------------------------------------------------


def test_members_by_seed_differ_in_their_seed_alone_and_the_first_is_the_run_itself(make_spec):
    spec = make_spec("lr_finder[steps=10]", model="gin", seed=3)
    _, seen = fits_of(Ensemble(members=3), spec)
    assert [one.seed for one, _ in seen] == [3, 10_010, 20_017]
    for number, (one, _) in enumerate(seen):
        assert replace(one, seed=3) == replace(spec, split=one.split), number
        assert not differences(vars(one.split), vars(spec.split))
    assert not differences(seen[0][1], fit(spec))
    assert len({float(found.history[0].train_loss) for _, found in seen}) == 3


@pytest.mark.parametrize("by", ["seed", "bagging", "architecture"])
def test_no_two_members_of_any_two_runs_share_a_seed(make_spec, by):
    feature = Ensemble(by=by, members=100)
    runs = [make_spec(seed=0), replace(make_spec(), seed=1), replace(make_spec(), seed=29)]
    seeds = [feature.member(spec, number).seed for spec in runs for number in range(100)]
    assert len(set(seeds)) == 300


def test_bags_are_the_members_own_and_leave_select_and_gate_alone(make_spec):
    spec = make_spec()
    bags = [Ensemble(by="bagging").member(spec, number).split for number in range(3)]
    again = Ensemble(by="bagging").member(spec, 1).split
    assert not differences(vars(bags[1]), vars(again))
    for one in range(3):
        assert not differences(bags[one].select, spec.split.select)
        assert not differences(bags[one].gate, spec.split.gate)
        assert set(bags[one].train) < set(spec.split.train)
        assert differences(bags[one].train, bags[one - 1].train)
    other = replace(spec, seed=1)
    assert differences(Ensemble(by="bagging").member(other, 0).split.train, bags[0].train)


@st.composite
def grouped(draw):
    """Graphs with groups of any mixture of classes: places, labels, groups."""
    count = draw(st.integers(4, 60))
    label = draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    group = draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
    places = draw(st.permutations(range(count)))
    some = draw(st.integers(1, count))
    return np.sort(np.array(places[:some])), np.array(label), np.array(group)


@given(grouped(), st.integers(0, 2**32))
def test_a_bag_draws_groups_whole_as_many_as_there_are_and_lacks_no_class(drawn, seed):
    train, label, group = drawn
    spec = _Spec(label, group)
    bag = bagged(train, spec, np.random.default_rng(seed))
    assert (np.diff(bag) >= 0).all()
    assert set(label[bag]) == set(label[train])
    times = {}
    for name in np.unique(group[train]):
        graphs = train[group[train] == name]
        counts = {int((bag == graph).sum()) for graph in graphs}
        assert len(counts) == 1, "the graphs of a group go together"
        times[name] = counts.pop()
    assert set(bag) <= set(train)
    assert sum(times.values()) == len(times)


class _Spec:
    """As much of a spec as a bag needs."""

    def __init__(self, label, group) -> None:
        self.graphs = replace(planted_graphs(8), label=label, group=group)


def test_a_bag_holds_about_63_percent_of_the_groups():
    count = 20_000
    spec = _Spec(np.arange(count) % 4 == 0, np.arange(count) // 2)
    bag = bagged(np.arange(count), spec, np.random.default_rng(0))
    assert len(np.unique(spec.graphs.group[bag])) / (count / 2) == pytest.approx(0.632, abs=0.01)


def test_bagging_trains_on_the_bag(make_spec):
    _, seen = fits_of(Ensemble(by="bagging", members=2), make_spec("weighted_sampler"))
    for one, found in seen:
        run = LiveRun(one)
        assert set(run.order(0)) <= set(one.split.train)
        assert found.history[0].steps == -(-len(one.split.train) // 16)


# Architectures -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "field", "wanted"),
    [
        ("gcn", "sage,gcn,gin,gat", ["gcn", "sage", "gin", "gat", "gcn"]),
        ("gat", "sage,gin", ["gat", "sage", "gin", "gat", "sage"]),
        (
            "gat[heads=2,hidden=16]",
            "sage,gin[hidden=8]",
            ["gat[heads=2,hidden=16]", "sage[hidden=16]", "gin[hidden=8]"],
        ),
        ("gcn", "gcn", ["gcn", "gcn"]),
    ],
)
def test_architectures_come_in_turn_the_runs_own_first(make_spec, own, field, wanted):
    feature = Ensemble(by="architecture", architectures=field, members=len(wanted))
    spec = make_spec(model=own)
    found = [feature.member(spec, number).model for number in range(len(wanted))]
    assert found == [parse_single(text) for text in wanted]


def test_the_weights_given_back_are_those_of_the_runs_own_model(make_spec):
    spec = make_spec(model="sage[hidden=16]")
    found, seen = fits_of(Ensemble(by="architecture", architectures="gcn,gin"), spec)
    assert [one.model.name for one, _ in seen] == ["sage", "gcn", "gin"]
    assert not differences(found.state, seen[0][1].state)
    assert not differences(found.best_epoch, seen[0][1].best_epoch)


@pytest.mark.parametrize("field", ["", " , ", "no_such", "gcn[heads=3]", "gcn+gat", "gcn["])
def test_architectures_that_do_not_exist_are_refused_when_the_arm_is_made(field):
    with pytest.raises(ValidationError, match="architectures"):
        Ensemble(architectures=field)


# The average ---------------------------------------------------------------------------------


def logits_of(spec, state, index):
    """Logits ``[m, 2]`` of a member's weights, without the loop."""
    model = make_model(spec.model, DataShape.of(spec.graphs))
    model.load_state_dict(state)
    model.eval()
    with torch.no_grad():
        parts = [call_model(model, batch).double() for batch in LiveRun(spec).batches(index)]
    return torch.cat(parts)


def close(found, logits):
    """Whether probabilities are those of mean logits, as nearly as fp32 probabilities tell them.

    A step of fp32 near 1 is a step of the log odds times p (1 - p), and certain members are capped.
    """
    mean = torch.stack(logits).mean(0).softmax(1)[:, 1].numpy()
    inside = [one.softmax(1)[:, 1].numpy().clip(EDGE, 1 - EDGE) for one in logits]
    steps = np.mean([EDGE / (one * (1 - one)) for one in inside], axis=0)
    certain = np.max([one.diff(dim=1).abs().numpy()[:, 0] for one in logits], axis=0)
    told = certain < -np.log(EDGE)
    assert told.mean() > 0.8
    return (np.abs(found - mean) <= 1e-6 + steps * mean * (1 - mean))[told].all()


@pytest.fixture
def enough(make_spec):
    """A run on data that each member learns something from."""

    def make(**more):
        return make_spec(graphs=planted_graphs(300), epochs=6, learning_rate=0.005, **more)

    return make


@pytest.mark.parametrize("by", ["seed", "architecture"])
def test_the_scores_are_those_of_the_mean_of_the_members_logits(enough, by):
    spec = enough()
    found, seen = fits_of(Ensemble(by=by, architectures="sage,gat"), spec)
    assert not any(member.collapse for _, member in seen)
    for part in ("select", "gate"):
        index = getattr(spec.split, part)
        logits = [logits_of(one, member.state, index) for one, member in seen]
        scores = getattr(found, part)
        assert close(scores.probability, logits)
        mean = torch.stack(logits).mean(0)
        label = torch.from_numpy(np.asarray(spec.graphs.label[index], dtype=np.int64))
        loss = torch.nn.functional.cross_entropy(mean, label)
        assert scores.loss == pytest.approx(float(loss), rel=1e-3)
        assert not differences(scores.index, index)


@given(st.lists(st.floats(-16, 16), min_size=1, max_size=20))
def test_log_odds_undo_the_softmax(logits):
    logits = np.array(logits)
    probability = (1 / (1 + np.exp(-logits))).astype(np.float32)
    # Near 1, fp32 has steps of 6e-8, which are steps of the log odds times p (1 - p).
    error = 1e-6 + 1.2e-7 / (probability * (1 - np.minimum(probability, 1 - EDGE)))
    assert (np.abs(log_odds(probability) - logits) <= error).all()


def test_certain_members_are_finite_and_alike_on_both_sides():
    found = log_odds(np.array([0.0, 1.0, 0.5], np.float32))
    assert found == pytest.approx([-16.6355, 16.6355, 0.0], abs=1e-4)


def scores_of(*probability, label=None):
    count = len(probability)
    label = np.arange(count) % 2 if label is None else np.array(label)
    return Scores(np.arange(count), label, np.array(probability, np.float32), 0.5)


def test_a_confident_member_outweighs_a_doubtful_one():
    one, other = scores_of(0.999, 0.5), scores_of(0.4, 0.5)
    mean = averaged([one, other])
    assert mean.probability == pytest.approx([0.9627, 0.5], abs=1e-4)
    assert mean.probability.dtype == np.float32
    assert mean.loss == pytest.approx((-np.log(1 - 0.9627) + np.log(2)) / 2, abs=1e-2)


def test_the_threshold_is_chosen_on_select_for_the_average(enough):
    found, seen = fits_of(Ensemble(), enough())
    select = found.select
    assert found.threshold == best_threshold(select.label, select.probability)
    record = found.history[found.best_epoch]
    metrics = select_metrics(select)
    assert {name: getattr(record, name) for name in metrics} == metrics
    assert any(member.threshold != found.threshold for _, member in seen)


# What is given back --------------------------------------------------------------------------


def test_weights_and_history_are_of_the_best_member_and_times_are_sums(make_spec):
    found, seen = fits_of(Ensemble(members=4), make_spec(epochs=4, learning_rate=0.01))
    members = [member for _, member in seen]
    f1 = [member.history[member.best_epoch].f1 for member in members]
    best = members[int(np.argmax(f1))]
    assert not differences(found.state, best.state)
    assert found.best_epoch == best.best_epoch
    for epoch, record in enumerate(found.history):
        if epoch != found.best_epoch:
            assert not differences(record, best.history[epoch])
        for name in ("train_seconds", "evaluation_seconds"):
            parts = [getattr(member.history[epoch], name) for member in members]
            assert getattr(record, name) == pytest.approx(sum(parts))
    for name in ("setup_seconds", "finish_seconds"):
        assert getattr(found, name) == pytest.approx(sum(getattr(one, name) for one in members))
    wanted = np.sum([member.train_seconds for member in members], axis=0)
    assert found.train_seconds == pytest.approx(wanted)


def test_members_that_stop_early_add_the_epochs_that_they_trained(make_spec):
    found, seen = fits_of(Ensemble(), make_spec(epochs=12, patience=2, learning_rate=0.01))
    lengths = [len(member.train_seconds) for _, member in seen]
    assert len(set(lengths)) > 1
    assert len(found.train_seconds) == max(lengths)
    assert sum(found.train_seconds) == pytest.approx(
        sum(sum(member.train_seconds) for _, member in seen)
    )


def test_costs_are_told(make_spec, tmp_path):
    spec = make_spec("lr_finder[steps=10]", model="gin", folder=tmp_path)
    found, seen = fits_of(Ensemble(by="bagging", members=2), spec)
    size = sum(value.nbytes for value in seen[0][1].state.values())
    one, both = f"{size / 2**20:.2f}", f"{2 * size / 2**20:.2f}"
    assert found.notes[0] == (
        f"ensemble: 2 members by bagging; weights take {both} MiB where one model takes {one}, "
        "and a graph passes through 2 models"
    )
    assert found.notes[1].startswith("member 1: gin, seed 0, select F1 0.")
    assert found.notes[2].startswith("member 1: lr_finder: ")
    assert found.notes[3].startswith("member 2: gin, seed 10007, select F1 0.")
    listed = read_json(tmp_path / "ensemble.json")
    assert listed["bytes"] == 2 * size
    assert listed["threshold"] == found.threshold
    assert listed["inference_seconds_per_graph"] > 0


def test_the_list_of_members_puts_the_ensemble_together_again(enough, tmp_path):
    spec = enough(folder=tmp_path)
    found, _ = fits_of(Ensemble(by="architecture", architectures="sage,gat"), spec)
    listed, index = read_json(tmp_path / "ensemble.json"), spec.split.gate
    assert {row["rank"] for row in listed["members"]} == {2}
    logits = []
    for row in listed["members"]:
        stored = checkpoint.load(tmp_path / row["folder"] / "best.pt")
        member = replace(spec, model=parse_single(row["model"]))
        logits.append(logits_of(member, stored["model"], index))
    assert close(found.gate.probability, logits)
    said = predict(torch.stack(logits).mean(0).softmax(1)[:, 1].numpy(), listed["threshold"])
    assert (said == predict(found.gate.probability, found.threshold)).mean() > 0.98


# Collapse ------------------------------------------------------------------------------------

ENDED = Collapse(rule="not_finite", epoch=0, detail="planted")
ONE_CLASS = Collapse(rule="one_class_twice", epoch=1, detail="planted")


@pytest.fixture
def members(make_spec):
    spec = make_spec()
    specs = [replace(spec, seed=seed) for seed in range(3)]
    return [Member(number, one, fit(one)) for number, one in enumerate(specs, start=1)]


def ended(member, collapse):
    """The member, collapsed; with nothing to show if it was not finite."""
    lost = {"select": None, "gate": None, "best_epoch": -1, "state": {}}
    changes = {"collapse": collapse, **(lost if collapse.rule == "not_finite" else {})}
    return replace(member, found=replace(member.found, **changes))


@pytest.mark.parametrize("collapse", [ENDED, ONE_CLASS])
def test_a_member_that_collapsed_is_left_out_and_named(members, collapse):
    gone = ended(members[0], collapse)
    found = join([gone, *members[1:]], members[0].spec.model)
    wanted = averaged([member.found.gate for member in members[1:]])
    assert not differences(found.gate, wanted)
    assert found.state
    assert found.collapse is None or found.collapse.rule == "one_class"
    assert gone.notes[0] == f"member 1: gcn, seed 0, collapsed ({collapse.rule}): planted"
    assert gone.row["rank"] < members[1].row["rank"]


def test_an_ensemble_collapses_where_all_members_do(members):
    model = members[0].spec.model
    found = join([ended(one, ONE_CLASS) for one in members], model)
    assert found.collapse == ONE_CLASS
    assert not differences(found.gate, averaged([one.found.gate for one in members]))
    found = join([ended(one, ENDED) for one in members], model)
    assert found.collapse == ENDED
    assert found.gate is None


def test_an_ensemble_that_predicts_one_class_collapses(members):
    def constant(member):
        parts = {
            part: replace(getattr(member.found, part), probability=np.full(
                len(getattr(member.found, part).index), 0.3, np.float32))
            for part in ("select", "gate")
        }  # fmt: skip
        return replace(member, found=replace(member.found, **parts))

    found = join([constant(member) for member in members], members[0].spec.model)
    assert found.collapse.rule == "one_class"


# Processes and interruptions -----------------------------------------------------------------


@pytest.mark.parametrize("by", ["seed", "bagging", "architecture"])
def test_the_number_of_processes_changes_no_bit(make_spec, tmp_path, by):
    arm = f"ensemble[by={by}]+swa+lr_finder[steps=10]+class_weights"
    found = [
        fit(make_spec(arm, folder=tmp_path / str(count), cache=tmp_path, processes=count))
        for count in (1, 3)
    ]
    assert not differences(*found)


def test_an_interrupted_ensemble_trains_no_finished_member_again(make_spec, tmp_path):
    spec = make_spec("ensemble+swa", folder=tmp_path, resume=True)
    whole = fit(replace(spec, folder=None))
    calls = []

    def stop(record):
        calls.append(record.epoch)
        if len(calls) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(spec, stop)
    told = []
    found = fit(spec, lambda record: told.append(record.epoch))
    assert calls == [0, 1, 2, 0, 1]
    # The second member's second epoch was not yet told of, but it was kept.
    assert told == [2, 0, 1, 2]
    assert not differences(found, whole)
    told.clear()
    assert not differences(fit(spec, lambda record: told.append(record.epoch)), whole)
    assert told == []


def test_members_see_every_feature_of_the_arm(make_spec, tmp_path):
    class Watch(Feature):
        name: ClassVar[str] = "watch"
        claim: ClassVar[Claim] = Claim.INSIGHT

        def on_fit_end(self, run, result) -> None:
            (run.folder / "seen").touch()

    fit(make_spec((Ensemble(members=2), Watch()), folder=tmp_path, epochs=1))
    assert [(tmp_path / f"member-{number}" / "seen").exists() for number in (1, 2)] == [True] * 2


def test_an_ensemble_without_a_wrap_around_it_leaves_a_session_alone(make_spec):
    session, plain = (FitSession(make_spec(arm, epochs=2)) for arm in ("ensemble", ""))
    for one in (session, plain):
        while not one.ended:
            one.run_epoch()
    assert not differences(session.finish(), plain.finish())


def test_it_says_what_its_parts_are():
    assert str(Ensemble(by="bagging", members=5)) == "ensemble[by=bagging,members=5]"
