"""Every feature on every built-in model: three epochs of the whole default data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.feature import FEATURES, join_arm, make_arm
from harness.graphs.catalog import load
from harness.graphs.splits import split_by_seed
from harness.matrix.shapes import baseline_of
from harness.models import MODELS
from harness.result import FitSpec
from harness.selection import parse_single
from harness.settings import TrainingSettings
from harness.testing.smoke import fault_of
from harness.training.fit import fit

EPOCHS = 3
VALUES = {"ensemble": "ensemble[members=2]", "hpo": "hpo[trials=2]"}
FEATURE_NAMES = [name for name, kind in FEATURES if kind.__module__.startswith("features.")]
BUILT_IN = ("gcn", "gat", "sage", "gin")


@pytest.fixture(scope="session")
def graphs():
    """Built once in the folder that ``nox -s ablation`` uses too."""
    return load("inverted_guard", Path(".ablation/data"))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("model", BUILT_IN)
@pytest.mark.parametrize("feature", FEATURE_NAMES)
def test_a_feature_trains_on_the_whole_data(graphs, tmp_path, feature, model):
    wanted = make_arm([parse_single(VALUES.get(feature, feature))])
    kept = [one for one in baseline_of("phase1") if one.name != feature]
    spec = FitSpec(
        graphs=graphs,
        split=split_by_seed(graphs.label, graphs.group, seed=0),
        model=parse_single(model),
        arm=join_arm([*kept, *wanted]),
        settings=TrainingSettings(epochs=EPOCHS, warmup_epochs=EPOCHS),
        folder=tmp_path,
        processes=2,
    )
    assert fault_of(fit(spec), spec) is None


def test_no_model_is_left_out():
    assert set(BUILT_IN) <= set(MODELS.names())
