"""TensorBoard's own reader finds in the files what the history holds."""

from __future__ import annotations

from io import BytesIO
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image
from pydantic import PrivateAttr
from sklearn.metrics import confusion_matrix, precision_score, recall_score
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

from features import tensorboard
from features.grad_accumulation import GradientAccumulation
from features.gradual_unfreezing import GradualUnfreezing
from features.tensorboard import TensorBoard
from harness.feature import Claim, Feature
from harness.testing import differences
from harness.training.fit import FitSession, fit
from harness.training.history import scalars_of
from harness.training.live import LiveRun

HISTOGRAM = "predictions/probability"


def read(folder):
    """Everything in the folder's event files, joined as TensorBoard joins them."""
    found = EventAccumulator(
        str(folder / "tensorboard"),
        size_guidance={"scalars": 0, "histograms": 0, "tensors": 0, "images": 0},
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
    tags = scalars_of(found.history[0])
    assert {"loss/train", "loss/select", "select/f1", "select/auc", "gradient/norm"} <= set(tags)
    for tag in tags:
        wanted = {record.epoch: scalars_of(record)[tag] for record in found.history}
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


# Curves, pictures, norms, cards -------------------------------------------------------------


def test_the_curve_of_precision_over_recall_is_scikit_learns(written):
    """Six rows by threshold: true and false positives, true and false negatives, and the two."""
    found, events, _ = written
    event = events.Tensors("select/precision_recall")[found.best_epoch]
    assert [each.step for each in events.Tensors("select/precision_recall")] == [0, 1, 2, 3]
    _, _, _, _, precision, recall = tensor_util.make_ndarray(event.tensor_proto)
    thresholds = np.arange(127) / 126
    label, probability = found.select.label, found.select.probability.astype(np.float64)
    for place, threshold in enumerate(thresholds):
        # TensorBoard counts into 127 bins, so a probability stands at the start of its own.
        said = np.floor(probability * 126) >= place
        assert threshold == place / 126
        assert recall[place] == pytest.approx(recall_score(label, said), abs=1e-6)
        if said.any():
            assert precision[place] == pytest.approx(precision_score(label, said), abs=1e-6)


def test_the_picture_of_each_epoch_shows_its_confusion_matrix(written):
    found, events, _ = written
    images = events.Images("select/confusion")
    assert [each.step for each in images] == [0, 1, 2, 3]
    drawn = np.asarray(Image.open(BytesIO(images[found.best_epoch].encoded_image_string)))
    said = found.select.probability >= found.threshold
    counts = confusion_matrix(found.select.label, said)
    wanted = tensorboard.picture(counts)
    assert np.array_equal(drawn, wanted)
    other = tensorboard.picture(counts[::-1])
    assert not np.array_equal(wanted, other)


def test_a_cells_shade_grows_with_its_share_and_words_stay_inside():
    drawn = tensorboard.picture(np.array([[9, 1], [0, 12_345_678]])).astype(int)
    side = tensorboard.MARGIN + 2 * tensorboard.CELL
    assert drawn.shape == (side, side, 3)
    corner = [
        drawn[tensorboard.MARGIN + row * tensorboard.CELL + 3,
              tensorboard.MARGIN + column * tensorboard.CELL + 3, 0]
        for row, column in ((0, 0), (0, 1), (1, 0), (1, 1))
    ]  # fmt: skip
    assert corner == [75, 235, 255, 55]
    for edge in (drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]):
        assert (edge == 255).all()
    assert (drawn.sum(2) < 300).any()  # something is written


def test_a_class_without_graphs_is_drawn_as_well():
    assert tensorboard.picture(np.array([[3, 1], [0, 0]])).shape[2] == 3


class Norms(Feature):
    """Keep the norm of each gradient that the optimizer gets, by epoch."""

    name: ClassVar[str] = "norms"
    claim: ClassVar[Claim] = Claim.INSIGHT

    _epochs: list[list[dict[str, float]]] = PrivateAttr(default_factory=list)

    def on_fit_start(self, run):
        run.optimizer.register_step_pre_hook(lambda *_: self._epochs[-1].append(self.read(run)))

    def on_epoch_start(self, run):
        self._epochs.append([])

    def read(self, run):
        named = run.model.named_parameters()
        return {name: float(each.grad.norm()) if each.grad is not None else 0.0
                for name, each in named}  # fmt: skip


@pytest.mark.parametrize(
    "beside", [(), (GradientAccumulation(steps=3),), (GradualUnfreezing(alone=2),)], ids=str
)
def test_gradient_norms_are_means_over_the_steps_of_what_the_optimizer_saw(
    make_spec, tmp_path, beside
):
    arm = (TensorBoard(), Norms(), *beside)
    session = FitSession(
        make_spec(arm, model="gat", epochs=3, batch_size=5, clip_norm=0.05, folder=tmp_path)
    )
    while not session.ended:
        session.run_epoch()
    session.finish()
    events = read(tmp_path)
    seen = session.run.arm[1]._epochs
    assert len(seen[0]) == session.run.history[0].steps > 1
    for name in seen[0][0]:
        wanted = {
            epoch: np.mean([step[name] for step in steps]) for epoch, steps in enumerate(seen)
        }
        found = values(events, f"gradient_norm/{name}")
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-8)
    clipped = np.sqrt(sum(values(events, f"gradient_norm/{name}")[2] ** 2 for name in seen[0][0]))
    assert clipped < 0.06


def text(events, tag):
    return [str(one.tensor_proto.string_val[0], "utf-8") for one in events.Tensors(tag)]


def test_a_card_says_what_the_run_is_and_how_it_ended(written):
    found, events, spec = written
    (card,) = text(events, "run/card/text_summary")
    weights = sum(each.numel() for each in LiveRun(spec).model.parameters())
    for words in (
        "**gin on planted**", f"{len(spec.split.train)} training graphs", "seed 0",
        spec.graphs.content[:12], "The defects are planted.",
        "**param_groups** Train encoder and head at different rates",
        "learning_rate", "hidden", f" {weights} ",
    ):  # fmt: skip
        assert words in card
    (result,) = text(events, "run/result/text_summary")
    assert f"epoch {found.best_epoch} chosen on select" in result


def test_notes_and_collapses_are_in_the_result(make_spec, tmp_path):
    fit(make_spec("tensorboard+grad_accumulation", model="gin", folder=tmp_path))
    assert "BatchNorm" in text(read(tmp_path), "run/result/text_summary")[0]


def test_a_run_from_its_first_epoch_hides_nothing(written, tmp_path):
    """TensorBoard drops what it read before a restart, and which file it reads first is luck."""
    files = list((tmp_path / "tensorboard").iterdir())
    assert len(files) == 2  # hyper-parameters have one of their own
    events = [event for file in files for event in EventFileLoader(str(file)).Load()]
    assert not any(event.HasField("session_log") for event in events)


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
    assert events.Tags()["histograms"] == events.Tags()["images"] == []
    assert "**collapsed**" in text(events, "run/result/text_summary")[0]
