"""TensorBoard's own reader finds in the files what the history holds."""

from __future__ import annotations

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from features import tensorboard
from harness.testing import differences
from harness.training.fit import FitSession, fit

HISTOGRAM = "predictions/probability"


def read(folder):
    """Everything in the folder's event files, joined as TensorBoard joins them."""
    found = EventAccumulator(
        str(folder / "tensorboard"), size_guidance={"scalars": 0, "histograms": 0, "tensors": 0}
    )
    found.Reload()
    return found


def values(events, tag):
    return {event.step: event.value for event in events.Scalars(tag)}


@pytest.fixture
def written(make_spec, tmp_path):
    spec = make_spec("tensorboard+param_groups", model="gin", epochs=4, folder=tmp_path)
    return fit(spec), read(tmp_path), spec


def test_every_scalar_of_every_epoch_is_that_of_the_history(written):
    found, events, _ = written
    tags = tensorboard.scalars(found.history[0])
    assert {"loss/train", "loss/select", "select/f1", "select/auc", "gradient/norm"} <= set(tags)
    for tag in tags:
        wanted = {record.epoch: tensorboard.scalars(record)[tag] for record in found.history}
        assert values(events, tag) == pytest.approx(wanted, rel=1e-6), tag


def test_the_learning_rate_of_each_group_is_the_one_the_epoch_was_trained_at(make_spec, tmp_path):
    arm = "tensorboard+param_groups[encoder=0.25]"
    found = fit(make_spec(arm, epochs=4, schedule="cosine", folder=tmp_path))
    events = read(tmp_path)
    head = {record.epoch: record.learning_rate for record in found.history}
    encoder = {epoch: 0.25 * rate for epoch, rate in head.items()}
    for name, wanted in (("head", head), ("encoder", encoder), ("encoder/no_decay", encoder)):
        assert values(events, f"learning_rate/{name}") == pytest.approx(wanted, rel=1e-6)
    assert len(set(head.values())) == 4


def test_each_epoch_has_a_histogram_of_its_predictions(written):
    found, events, spec = written
    histograms = events.Histograms(HISTOGRAM)
    assert [one.step for one in histograms] == [record.epoch for record in found.history]
    graphs = len(spec.split.select)
    assert {one.histogram_value.num for one in histograms} == {graphs}
    chosen = histograms[found.best_epoch].histogram_value
    probability = found.select.probability
    assert chosen.min == pytest.approx(probability.min())
    assert chosen.max == pytest.approx(probability.max())
    assert chosen.sum == pytest.approx(probability.sum(), rel=1e-5)
    edges = np.array([0.0, *chosen.bucket_limit])
    for count, low, high in zip(chosen.bucket, edges[:-1], edges[1:], strict=True):
        last = high == chosen.bucket_limit[-1]
        inside = (probability >= low) & ((probability <= high) if last else (probability < high))
        assert count == inside.sum()


def test_hyper_parameters_stand_beside_the_final_metrics(written):
    found, events, spec = written
    best = found.history[found.best_epoch]
    (final,) = events.Scalars("final/f1")
    assert final.value == pytest.approx(best.f1)
    assert events.Scalars("final/best_epoch")[0].value == found.best_epoch
    assert events.Scalars("final/collapsed")[0].value == 0
    plugins = events.summary_metadata
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(plugins)
    content = plugins["_hparams_/session_start_info"].plugin_data.content
    for text in (b"model_values.hidden", b"settings.learning_rate", b"param_groups+tensorboard"):
        assert text in content
    assert spec.model.name.encode() in content


def test_step_losses_are_written_where_they_are_asked_for(make_spec, tmp_path):
    found = fit(make_spec("tensorboard[every_steps=2]", epochs=3, folder=tmp_path))
    steps = sum(record.steps for record in found.history)
    events = values(read(tmp_path), "step/train_loss")
    assert sorted(events) == list(range(2, steps + 1, 2))
    assert all(np.isfinite(value) for value in events.values())


def test_without_a_folder_nothing_is_written(make_spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit(make_spec("tensorboard"))
    assert list(tmp_path.iterdir()) == []


def test_a_run_changes_by_no_bit(make_spec, tmp_path):
    with_it = fit(make_spec("tensorboard[every_steps=1]", model="gin", folder=tmp_path))
    assert not differences(with_it, fit(make_spec(model="gin")))


def test_a_finished_epoch_is_on_the_disk_at_once(make_spec, tmp_path):
    session = FitSession(make_spec("tensorboard", folder=tmp_path))
    session.run_epoch()
    assert sorted(values(read(tmp_path), "loss/train")) == [0]
    session.finish()


def test_what_an_interrupted_run_wrote_after_its_checkpoint_is_not_shown_twice(make_spec, tmp_path):
    spec = make_spec("tensorboard", epochs=5, checkpoint_every=2, folder=tmp_path, resume=True)
    torn = FitSession(spec)
    for _ in range(3):
        torn.run_epoch()
    found = fit(spec)
    events = read(tmp_path)
    assert [event.step for event in events.Scalars("loss/train")] == list(range(5))
    assert values(events, "loss/train") == pytest.approx(
        {record.epoch: record.train_loss for record in found.history}, rel=1e-6
    )


def test_a_collapsed_run_is_written_to_its_end(make_spec, tmp_path):
    def nan(logits, label):
        return logits.sum(1) * float("nan") + label

    spec = make_spec("tensorboard", folder=tmp_path)
    session = FitSession(spec)
    session.run.criterion = nan
    session.run_epoch()
    assert session.ended
    session.finish()
    events = read(tmp_path)
    assert events.Scalars("final/collapsed")[0].value == 1
    assert events.Scalars("final/best_epoch")[0].value == -1
    assert "final/f1" not in events.Tags()["scalars"]
    assert events.Tags()["histograms"] == []
