"""The matrix in TensorBoard: a run a trial, read back by TensorBoard's own reader."""

from __future__ import annotations

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

import harness
from harness.errors import UsageError
from harness.report.hparams import write_hparams

SESSION = "_hparams_/session_start_info"


@pytest.fixture(scope="module")
def folder(make_stored):
    return make_stored("swa", models="gcn", pairs=2).store.root


@pytest.fixture(scope="module")
def target(folder, tmp_path_factory):
    target = tmp_path_factory.mktemp("logs") / "matrix"
    write_hparams(folder, target)
    return target


def _read(run):
    events = EventAccumulator(str(run))
    events.Reload()
    content = events.summary_metadata[SESSION].plugin_data.content
    start = HParamsPluginData.FromString(content).session_start_info
    values = {
        name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()
    }
    return values, events


def test_every_trial_is_a_run_with_its_arm_and_its_f1(folder, target):
    frame = harness.load(folder).set_index("key")
    runs = sorted(target.iterdir())
    assert len(runs) == len(frame)
    for run in runs:
        values, events = _read(run)
        key = next(each for each in frame.index if run.name.endswith(each[:8]))
        assert values["arm"] == frame.loc[key, "arm"]
        assert values["with swa"] == ("swa" in frame.loc[key, "arm"])
        assert values["seed"] == frame.loc[key, "seed"]
        assert values["settings.batch_size"] == frame.loc[key, "settings.batch_size"]
        assert values["settings.schedule"] == "plateau"
        assert events.Scalars("gate/f1")[0].value == pytest.approx(frame.loc[key, "f1"])
        assert events.Scalars("gate/collapsed")[0].value == 0
        assert [one.step for one in events.Scalars("select/f1")] == [*range(6)]


def test_a_folder_that_is_there_is_left_alone(folder, tmp_path):
    with pytest.raises(UsageError, match="already"):
        write_hparams(folder, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_asks_for_a_folder(folder, tmp_path, ablate):
    command = "report", folder, "--format", "tensorboard"
    assert "--output" in ablate(*command, code=2).stderr
    ablate(*command, "--output", tmp_path / "logs")
    assert len(list((tmp_path / "logs").iterdir())) == 4
