from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from harness.hardware import describe
from harness.matrix.here import DataHere
from harness.matrix.received import truth_of
from harness.matrix.store import GateScores, TrialResult, gate_digest
from harness.metrics import Confusion
from harness.sharing.exchange import Exchange
from harness.sharing.objects import Objects
from tests.matrix.conftest import (  # noqa: F401 - fixtures
    _planted_features,
    make_judge,
    packed,
    plugin,
)
from tests.sharing import s3_server as s3_server_module

_NUMBERS = count()


@pytest.fixture
def url(tmp_path):
    return (tmp_path / "shared").as_uri()


@pytest.fixture(scope="session")
def s3_server():
    """Host and port of an S3 server."""
    if s3_server_module.command() is None:
        pytest.skip("moto_server is not installed: see tests/sharing/moto.txt")
    with s3_server_module.serving() as address:
        yield address


@pytest.fixture
def s3(s3_server, monkeypatch):
    """A fresh URL in a bucket: ``s3()``; ``s3(address)`` goes through a proxy at that address."""
    for name, value in s3_server_module.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    def make(address=s3_server):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*address))
        return f"s3://tests/{next(_NUMBERS)}"

    return make


@pytest.fixture
def exchange_of(url):
    """A machine's exchange, each with a store of its own: ``exchange_of(judge)``."""

    def make(judge):
        graphs = {content: judge.results.graphs(content) for content in judge.plan.data}
        return Exchange(Objects(url), judge.store, judge.plan, DataHere({}, graphs).truth)

    return make


@pytest.fixture
def write_trial():
    """Store a made-up result on the trial's own gate part: ``write_trial(judge, key, wrong=3)``."""

    def write(judge, key, *, wrong=0):
        spec = judge.plan.trials[key]
        truth = truth_of(judge.results.graphs(spec.data), spec)
        label = truth.label.astype(np.uint8)
        predicted = label.copy()
        predicted[np.flatnonzero(label == 1)[:wrong]] = 0
        gate = GateScores(truth.index, label, predicted, predicted.astype(np.float32))
        result = TrialResult(
            spec=spec, hardware=describe(), git_commit=None,
            f1=Confusion.of(label, predicted).f1, metrics={}, best_epoch=0, threshold=0.5,
            epochs=1, collapse=None, notes=(), wall_seconds=1.0, cpu_seconds=1.0,
            gate_digest=gate_digest(gate),
        )  # fmt: skip
        judge.store.write(result, gate)

    return write
