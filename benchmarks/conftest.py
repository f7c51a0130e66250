from __future__ import annotations

import numpy as np
import pytest

from harness.feature import make_arm
from harness.graphs.batch import collate
from harness.graphs.splits import split_by_seed
from harness.process import use_threads
from harness.result import FitSpec
from harness.selection import parse, parse_single
from harness.settings import TrainingSettings
from harness.testing import planted_graphs
from harness.training.fit import FitSession


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    use_threads(1)


@pytest.fixture(scope="session")
def graphs():
    return planted_graphs(2000)


@pytest.fixture(scope="session")
def batch(graphs):
    return collate(graphs, np.arange(64))


@pytest.fixture(scope="session")
def make_run(graphs):
    """A fit that is built and not begun: ``make_run("gcn", "swa")``."""

    def make(model, arm="", **places):
        spec = FitSpec(
            graphs=graphs,
            split=split_by_seed(graphs.label, graphs.group, 0),
            model=parse_single(f"{model}[hidden=128]"),
            arm=make_arm(parse(arm)) if arm else (),
            settings=TrainingSettings(epochs=100_000),
            **places,
        )
        return FitSession(spec)

    return make
