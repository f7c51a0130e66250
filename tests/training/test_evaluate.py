"""Scores of graphs, and the metrics of an epoch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from harness.graphs.batch import collate
from harness.models import call_model
from harness.result import Scores
from harness.training.evaluate import score, select_metrics
from harness.training.live import LiveRun


def test_probabilities_and_loss_are_those_of_the_model_graph_by_graph(make_spec):
    run = LiveRun(make_spec(model="gin", batch_size=5))
    index = run.spec.split.select[::-1].copy()
    found = score(run, run.model, index)
    run.model.eval()
    with torch.no_grad():
        logits = torch.cat([call_model(run.model, collate(run.graphs, [one])) for one in index])
    label = torch.from_numpy(run.graphs.label[index].astype(np.int64))
    assert found.index is index
    assert found.label.tolist() == label.tolist()
    assert found.probability == pytest.approx(logits.softmax(1)[:, 1].numpy(), abs=1e-5)
    wanted = reference.log_loss(label, logits.double().softmax(1).numpy())
    assert found.loss == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_the_models_mode_is_put_back_and_dropout_is_off(make_spec, training):
    run = LiveRun(make_spec(model="gcn[dropout=0.9]"))
    run.model.train(training)
    first, second = (score(run, run.model, run.train).probability for _ in range(2))
    assert np.array_equal(first, second)
    assert run.model.training is training


def scores(label, probability):
    label = np.array(label)
    return Scores(np.arange(len(label)), label, np.array(probability, np.float32), loss=0.7)


def test_metrics_are_at_the_swept_threshold_and_at_half():
    label = [0, 0, 1, 1, 0, 1]
    found = select_metrics(scores(label, [0.1, 0.35, 0.4, 0.45, 0.6, 0.9]))
    swept = np.array([0.1, 0.35, 0.4, 0.45, 0.6, 0.9]) >= found["threshold"]
    half = [0, 0, 0, 0, 1, 1]
    assert found["f1"] == pytest.approx(reference.f1_score(label, swept))
    assert found["balanced_accuracy"] == pytest.approx(
        reference.balanced_accuracy_score(label, swept)
    )
    assert found["f1_at_half"] == pytest.approx(reference.f1_score(label, half))
    assert found["balanced_accuracy_at_half"] == pytest.approx(
        reference.balanced_accuracy_score(label, half)
    )
    assert (found["predicted_safe"], found["predicted_vulnerable"]) == (4, 2)
    assert found["select_loss"] == 0.7


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_probability_that_is_not_finite_makes_all_safe(bad):
    found = select_metrics(scores([0, 1, 1], [0.2, bad, 0.9]))
    assert found["f1"] == 0
    assert found["threshold"] == 0.5
    assert found["auc"] == 0.5
    assert (found["predicted_safe"], found["predicted_vulnerable"]) == (3, 0)
