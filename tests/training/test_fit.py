"""The fit: epochs, the chosen one, one reading of gate, and what ends it early."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
import torch
from pydantic import Field
from sklearn import metrics as reference

from harness.errors import UsageError
from harness.feature import Claim, Feature
from harness.files import read_json
from harness.metrics import predict
from harness.models import DataShape, make_model
from harness.testing import differences
from harness.training import checkpoint
from harness.training.evaluate import score
from harness.training.fit import FitSession, fit
from harness.training.history import read_history
from harness.training.live import LiveRun


class Planted(Feature):
    """Base of the features below."""

    name: ClassVar[str] = "planted"
    claim: ClassVar[Claim] = Claim.QUALITY


class Constant(Planted):
    """Give every graph the same logits."""

    def on_fit_start(self, run):
        run.model.register_forward_hook(lambda module, given, logits: logits * 0)


class NotANumber(Planted):
    """Lose the loss from a given epoch on."""

    since: int = Field(0, description="the first epoch without a loss")

    def criterion(self, run):
        def losses(logits, label):
            value = float("nan") if run.epoch >= self.since else 1.0
            return (logits.sum(1) - label) ** 2 * value

        return losses


@pytest.mark.parametrize("model", ["gcn", "gin"])
def test_a_fit_is_a_function_of_its_spec(make_spec, model):
    spec = make_spec("swa+class_weights", model=model)
    torch.rand(5)
    first = fit(spec)
    torch.manual_seed(99)
    assert not differences(first, fit(spec))
    assert differences(first, fit(make_spec("swa+class_weights", model=model, seed=1)))


def test_the_gate_is_read_with_the_weights_and_threshold_that_select_chose(make_spec):
    spec = make_spec(model="gin", epochs=6, learning_rate=5e-3)
    found = fit(spec)
    f1 = [record.f1 for record in found.history]
    assert found.best_epoch == int(np.argmax(f1))
    assert found.threshold == found.history[found.best_epoch].threshold
    model = make_model(spec.model, DataShape.of(spec.graphs))
    model.load_state_dict(found.state)
    run = LiveRun(spec)
    for name in ("select", "gate"):
        again = score(run, model, getattr(spec.split, name))
        assert not differences(getattr(found, name), again)
    said = predict(found.select.probability, found.threshold)
    assert found.history[found.best_epoch].f1 == pytest.approx(
        reference.f1_score(found.select.label, said)
    )


def test_an_epochs_record_says_what_happened_in_it(make_spec):
    spec = make_spec(epochs=4, schedule="cosine", clip_norm=1e-3, learning_rate=0.01)
    found = fit(spec)
    steps = -(-len(spec.split.train) // spec.settings.batch_size)
    for epoch, record in enumerate(found.history):
        assert record.epoch == epoch
        assert record.steps == record.clipped_steps == steps
        assert record.learning_rate == pytest.approx(0.005 * (1 + np.cos(np.pi * epoch / 4)))
        assert record.gradient_norm > 1e-3
        assert record.predicted_safe + record.predicted_vulnerable == len(spec.split.select)
        assert 0 < record.train_seconds <= found.train_seconds[epoch]
    free = fit(make_spec(epochs=1, clip_norm=0)).history[0]
    assert free.clipped_steps == 0
    assert free.gradient_norm > 0


def test_the_train_loss_is_the_mean_over_the_epochs_graphs(make_spec):
    class Fixed(Planted):
        def criterion(self, run):
            del run
            return lambda logits, label: logits.sum(1) * 0 + label.float()

    spec = make_spec((Fixed(),), batch_size=16)
    wanted = spec.graphs.label[spec.split.train].mean()
    assert fit(spec).history[0].train_loss == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("model", ["gcn", "gat", "sage", "gin"])
def test_data_with_weights_and_graph_features_are_trained_on(make_spec, small_graphs, model):
    count = len(small_graphs)
    random = np.random.default_rng(0)
    info = small_graphs.info.model_copy(update={"content": ""})
    graphs = dataclasses.replace(
        small_graphs,
        info=info,
        weight=random.random(count).astype(np.float32),
        graph_features=(small_graphs.label[:, None] * 5 + random.random((count, 3))).astype("f4"),
    )
    found = fit(make_spec(model=model, graphs=graphs, epochs=8, learning_rate=0.01))
    assert max(record.auc for record in found.history) > 0.95
    assert found.state["head.0.weight"].shape == (64, 2 * 64 + 3)


def test_patience_ends_a_run_that_gets_no_better(make_spec):
    found = fit(make_spec(epochs=50, patience=3, learning_rate=1e-9))
    assert found.best_epoch == 0
    assert len(found.history) == 4


# Collapse ------------------------------------------------------------------------------------


def test_a_run_that_is_lost_in_its_first_epoch_has_no_chosen_one(make_spec, tmp_path):
    found = fit(make_spec((NotANumber(),), folder=tmp_path, epochs=5))
    assert found.collapse.rule == "not_finite"
    assert len(found.history) == 1
    assert found.best_epoch == -1
    assert found.select is None
    assert found.gate is None
    assert found.state == {}
    assert found.threshold == 0.5
    report = read_json(tmp_path / "diagnostics.json")
    assert report["best_epoch"] == -1
    assert report["history"][0]["train_loss"] is None
    assert "COLLAPSED (not_finite)" in (tmp_path / "diagnostics.txt").read_text("utf-8")
    assert not (tmp_path / checkpoint.BEST).exists()
    assert len(read_history(tmp_path / "metrics_history.csv")) == 1


def test_a_run_that_is_lost_later_stops_there_and_reads_no_gate(make_spec):
    found = fit(make_spec((NotANumber(since=2),), epochs=6))
    assert found.collapse.rule == "not_finite"
    assert found.collapse.epoch == 2
    assert len(found.history) == 3
    assert found.best_epoch in (0, 1)
    assert all(torch.isfinite(value).all() for value in found.state.values())
    assert found.gate is None


def test_one_class_twice_after_the_warm_up_stops_the_run(make_spec):
    found = fit(make_spec((Constant(),), epochs=9, warmup_epochs=2))
    assert found.collapse.rule == "one_class_twice"
    assert len(found.history) == 4
    assert found.gate is not None


def test_one_class_at_the_chosen_epoch_is_a_collapse_too(make_spec):
    found = fit(make_spec((Constant(),), epochs=2))
    assert found.collapse.rule == "one_class"
    assert len(found.history) == 2


def test_a_healthy_run_leaves_no_diagnostics(make_spec, tmp_path):
    found = fit(make_spec(model="gin", folder=tmp_path, epochs=6, learning_rate=5e-3))
    assert found.collapse is None
    assert {path.name for path in tmp_path.iterdir()} == {
        "best.pt", "last.pt", "metrics_history.csv",
    }  # fmt: skip
    assert not differences(read_history(tmp_path / "metrics_history.csv"), found.history)


def test_an_evaluation_model_of_other_weights_is_refused_by_name(make_spec):
    class Other(Planted):
        def evaluation_model(self, run):
            kind = type(run.model)
            return kind(DataShape.of(run.graphs), hidden=8)

    with pytest.raises(UsageError, match="planted: the evaluation model has other weights"):
        fit(make_spec((Other(),)))


# Checkpoints and resuming --------------------------------------------------------------------


def test_interrupted_again_and_again_it_ends_as_if_nothing_had_been(make_spec, tmp_path):
    spec = make_spec("swa+tensorboard", model="gin", epochs=5, folder=tmp_path / "whole")
    whole = fit(spec)
    folder = tmp_path / "torn"
    for _ in range(5):
        torn = make_spec("swa+tensorboard", model="gin", epochs=5, folder=folder, resume=True)
        session = FitSession(torn)
        session.run_epoch()
    assert session.ended
    found = session.finish()
    assert not differences(whole, found)
    first, second = (checkpoint.load(tmp_path / name / "last.pt") for name in ("whole", "torn"))
    assert not differences(first, second)


def test_a_resumed_run_knows_the_time_of_every_epoch(make_spec, tmp_path):
    spec = make_spec(epochs=4, folder=tmp_path, resume=True)
    session = FitSession(spec)
    times = [session.run_epoch() for _ in range(3)]
    found = fit(spec)
    assert len(found.train_seconds) == 4
    assert found.train_seconds[:2] == tuple(times[:2])
    assert 0 < found.train_seconds[2] <= times[2]
    assert found.setup_seconds == session.setup_seconds


def test_a_finished_run_is_resumed_without_training(make_spec, tmp_path):
    spec = make_spec(epochs=2, folder=tmp_path, resume=True)
    first, epochs = fit(spec), []
    assert not differences(first, fit(spec, epochs.append))
    assert epochs == []


def test_a_collapsed_run_stays_collapsed_when_it_is_resumed(make_spec, tmp_path):
    spec = make_spec((Constant(),), epochs=9, warmup_epochs=0, folder=tmp_path, resume=True)
    first, epochs = fit(spec), []
    assert not differences(first, fit(spec, epochs.append))
    assert epochs == []


@pytest.mark.parametrize(("every", "last"), [(1, 4), (2, 3), (3, 4), (9, 4)])
def test_checkpoints_are_written_every_so_many_epochs_and_at_the_end(
    make_spec, tmp_path, every, last
):
    session = FitSession(make_spec(epochs=5, checkpoint_every=every, folder=tmp_path))
    for _ in range(last + 1):
        session.run_epoch()
    assert checkpoint.load(tmp_path / checkpoint.LAST)["epoch"] == last


def test_no_checkpoints_are_written_where_none_are_wanted(make_spec, tmp_path):
    fit(make_spec(epochs=2, checkpoint_every=0, folder=tmp_path))
    assert [path.name for path in tmp_path.glob("*.pt")] == []


# What features see ---------------------------------------------------------------------------


def test_after_evaluation_a_feature_sees_the_epochs_own_rate_and_scores(make_spec):
    seen = []

    class Watching(Planted):
        def on_evaluation_end(self, run):
            rate = run.optimizer.param_groups[0]["lr"]
            seen.append((run.epoch, rate, run.scores.loss, run.model.training))

    found = fit(make_spec((Watching(),), epochs=3, schedule="cosine"))
    assert seen == [
        (record.epoch, record.learning_rate, record.select_loss, True) for record in found.history
    ]


def test_wraps_around_the_fit_nest_and_are_called_on_objects_of_their_own(make_spec):
    seen = []

    class Outer(Planted):
        name: ClassVar[str] = "outer"

        def around_fit(self, fit, spec):
            assert not any(self is feature for feature in spec.arm)
            seen.append(f"+{self.name}")
            found = fit(spec)
            seen.append(f"-{self.name}")
            return found

    class Inner(Outer):
        name: ClassVar[str] = "inner"

    epochs = []
    found = fit(make_spec((Outer(), Inner()), epochs=2), epochs.append)
    assert seen == ["+outer", "+inner", "-inner", "-outer"]
    assert tuple(epochs) == found.history


# Time ----------------------------------------------------------------------------------------


def test_evaluation_is_outside_the_clock_and_what_a_feature_costs_inside(make_spec):
    now = [0.0]

    class Slow(Planted):
        def learning_rate(self, run):
            now[0] += 7
            return run.settings.learning_rate

        def around_forward(self, run):
            now[0] += 1.0 if run.model.training else 1000.0
            return super().around_forward(run)

        def on_epoch_end(self, run):
            del run
            now[0] += 0.25

        def on_evaluation_end(self, run):
            del run
            now[0] += 0.5

        def on_fit_end(self, run, result):
            del run, result
            now[0] += 3

    spec = make_spec((Slow(),), epochs=2)
    session = FitSession(spec, clock=lambda: now[0])
    assert session.setup_seconds == 7
    steps = -(-len(spec.split.train) // spec.settings.batch_size)
    assert session.run_epoch() == steps + 0.25 + 0.5
    record = session.run.history[0]
    assert record.train_seconds == steps + 0.25
    assert record.evaluation_seconds == 1000
    session.run_epoch()
    found = session.finish()
    assert found.finish_seconds == 3
    assert found.train_seconds == (steps + 0.75,) * 2
