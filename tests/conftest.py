"""Fixtures that several rooms share: small data with a known answer, and runs on it."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings

from harness.cli import main
from harness.feature import make_arm
from harness.graphs.splits import split_by_seed
from harness.process import use_threads
from harness.result import EpochRecord, FitSpec
from harness.selection import parse, parse_single
from harness.settings import TrainingSettings
from harness.testing import planted_graphs


def pytest_configure():
    """Let no property fail by the clock: a slow or busy machine is no defect."""
    settings.register_profile(
        "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Same bits every time, and no threads that wait for each other."""
    use_threads(1)


@pytest.fixture(autouse=True)
def _handlers_as_before():
    """A command that runs in this process leaves its handlers of interrupts behind."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@dataclass
class Done:
    """What a command printed."""

    stdout: str
    stderr: str


@pytest.fixture
def ablate(tmp_path, monkeypatch, capfd):
    """Run the command in an empty folder, within this process: ``ablate("report", d, code=1)``.

    ``code`` may be several, any of which will do.
    """
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments, code=0):
        monkeypatch.setattr(sys, "argv", ["ablate", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        codes = code if isinstance(code, tuple) else (code,)
        assert (ended.value.code or 0) in codes, out + err
        assert "Traceback" not in err
        return Done(out, err)

    return run


@pytest.fixture(scope="session")
def small_graphs():
    """64 planted graphs."""
    return planted_graphs(64)


@pytest.fixture(scope="session")
def make_spec(small_graphs):
    """A short run: ``make_spec("swa+amp", model="gin", epochs=3, folder=tmp_path)``.

    Settings of the loop and fields of the spec are told apart by their names; one-class epochs
    count as no collapse, because the data are small and the runs short.
    """

    def make(arm="", *, model="gcn", graphs=None, **more):
        graphs = small_graphs if graphs is None else graphs
        given = {name: more.pop(name) for name in TrainingSettings.model_fields if name in more}
        values = {"epochs": 3, "batch_size": 16, "warmup_epochs": 1000, **given}
        features = make_arm(parse(arm) if arm else ()) if isinstance(arm, str) else tuple(arm)
        seed = more.get("seed", 0)
        return FitSpec(
            graphs=graphs,
            split=more.pop("split", None) or split_by_seed(graphs.label, graphs.group, seed),
            model=parse_single(model),
            arm=features,
            settings=TrainingSettings(**values),
            **more,
        )

    return make


@pytest.fixture(scope="session")
def make_record():
    """A made-up epoch: ``make_record(3, f1=0.7)``."""

    def make(epoch=0, **more):
        zeros = {
            name: field.annotation(0)
            for name, field in EpochRecord.model_fields.items()
            if field.annotation in (int, float)
        }
        values = {**zeros, "predicted_safe": 10, "predicted_vulnerable": 10}
        return EpochRecord(**{**values, "epoch": epoch, **more})

    return make
