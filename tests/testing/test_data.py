"""Planted graphs: neighbours tell the classes apart, bags of node types do not."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from harness.graphs.dataset import content_hash, open_folder, save, verify
from harness.graphs.splits import split_by_seed
from harness.metrics import auc
from harness.result import FitSpec
from harness.selection import parse_single
from harness.settings import TrainingSettings
from harness.testing import planted_graphs
from harness.training.fit import fit


def test_the_same_seed_gives_the_same_graphs_and_another_one_others():
    assert planted_graphs(20, seed=1).content == planted_graphs(20, seed=1).content
    assert planted_graphs(20, seed=1).content != planted_graphs(20, seed=2).content


def test_it_is_a_sound_data_set(tmp_path):
    graphs = planted_graphs(30)
    assert graphs.content == content_hash(graphs)
    stored = save(graphs, tmp_path / "planted")
    verify(open_folder(tmp_path / "planted"), tmp_path / "planted")
    assert stored.content == graphs.content


@pytest.mark.parametrize("positive", [0.2, 0.5])
def test_the_share_of_vulnerable_graphs_is_as_asked(positive):
    label = planted_graphs(200, positive=positive, noise=0).label
    assert label.mean() == pytest.approx(positive)


def bags(graphs):
    counts = np.zeros((len(graphs), graphs.info.num_types))
    owner = np.repeat(np.arange(len(graphs)), graphs.num_nodes)
    np.add.at(counts, (owner, graphs.node_type), 1)
    return counts


def test_a_gnn_learns_what_bags_of_node_types_do_not_show():
    graphs = planted_graphs(600, noise=0)
    bag = cross_val_predict(
        LogisticRegression(max_iter=1000), bags(graphs), graphs.label, cv=5, method="predict_proba"
    )[:, 1]
    found = fit(
        FitSpec(
            graphs=graphs,
            split=split_by_seed(graphs.label, graphs.group, 0),
            model=parse_single("gin[hidden=32,layers=2,dropout=0]"),
            settings=TrainingSettings(epochs=30, learning_rate=0.01, batch_size=32),
        )
    )
    assert auc(graphs.label, bag) < 0.65
    assert auc(found.gate.label, found.gate.probability) > 0.9
