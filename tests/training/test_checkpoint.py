"""Checkpoints: whole or not at all, plain data, of one run and no other."""

from __future__ import annotations

import dataclasses
import os
import pickle
import random
import zipfile

import numpy as np
import pytest
import torch

from harness.errors import DataError
from harness.testing import differences, planted_graphs
from harness.training import checkpoint
from harness.training.best import Best
from harness.training.fit import FitSession, fit
from harness.training.live import LiveRun


@pytest.fixture
def trained(make_spec, tmp_path):
    """A run's spec and the folder of its checkpoints after two of three epochs."""
    spec = make_spec("swa[start=0.3]", model="gin", folder=tmp_path)
    session = FitSession(spec)
    session.run_epoch()
    session.run_epoch()
    return spec, tmp_path


def restored(spec):
    run, best = LiveRun(spec), Best()
    run.emit("on_fit_start")
    times = checkpoint.restore(run, best, spec.folder / checkpoint.LAST)
    return run, best, times


def test_it_holds_all_that_a_run_is(trained, small_graphs):
    spec, folder = trained
    content = checkpoint.load(folder / checkpoint.LAST)
    assert content["configuration"]["data"] == small_graphs.content
    assert content["configuration"]["arm"] == ["swa[start=0.3]"]
    assert content["configuration"]["settings"]["epochs"] == spec.settings.epochs
    assert content["metrics"] == content["history"][-1]
    assert content["epoch"] == 1
    assert content["step"] == sum(record["steps"] for record in content["history"])
    assert content["torch"] == str(torch.__version__)
    assert {"git_commit", "model", "optimizer", "schedule", "scaler", "rng"} < content.keys()
    assert content["features"]["swa"]["average"]["n_averaged"] == 2
    assert len(content["times"]["train"]) == 2


def test_the_best_one_holds_the_chosen_epochs_weights_and_threshold(make_spec, tmp_path):
    found = fit(make_spec(model="gin", folder=tmp_path))
    content = checkpoint.load(tmp_path / checkpoint.BEST)
    assert not differences(content["model"], found.state)
    assert content["metrics"]["epoch"] == found.best_epoch
    assert content["metrics"]["threshold"] == found.threshold


def test_everything_comes_back_to_the_bit(trained):
    spec, folder = trained
    run, best, times = restored(spec)
    again = folder / "again"
    run.epoch -= 1
    origin = {key: checkpoint.load(folder / checkpoint.LAST)[key] for key in ("schema", "torch")}
    checkpoint.save_last(run, best, again, times, origin)
    first, second = (checkpoint.load(place / checkpoint.LAST) for place in (folder, again))
    only_of_origin = frozenset({"configuration", "git_commit"})
    assert not differences(first, second, ignore=only_of_origin)


def test_a_full_disk_leaves_the_old_file_as_it_was(trained, monkeypatch):
    spec, folder = trained
    before = (folder / checkpoint.LAST).read_bytes()
    session = FitSession(dataclasses.replace(spec, resume=True))

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        session.run_epoch()
    assert (folder / checkpoint.LAST).read_bytes() == before
    assert {path.name for path in folder.iterdir()} == {
        "best.pt", "last.pt", "metrics_history.csv",
    }  # fmt: skip


def changed(path, change):
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"epochs": 5}, r"settings\.epochs is 3 there and 5 here"),
        ({"model": "gcn"}, "model is 'gin' there and 'gcn' here"),
        ({"model": "gin[hidden=32]"}, r"model_values\.hidden is 64 there and 32 here"),
        ({"arm": ""}, r"arm is \['swa\[start=0\.3\]'\] there and \[\] here"),
        ({"seed": 4}, "seed is 0 there and 4 here"),
        ({"clip_norm": 0.5, "batch_size": 8}, r"batch_size is 16 .*; settings\.clip_norm is 1\.0"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_by_what_differs(trained, make_spec, other, message):
    _, folder = trained
    values = {"arm": "swa[start=0.3]", "model": "gin", "folder": folder, "resume": True, **other}
    with pytest.raises(DataError, match=message) as caught:
        FitSession(make_spec(**values))
    assert str(folder / "last.pt") in str(caught.value)
    assert "resume with the same settings" in str(caught.value)


def test_a_checkpoint_of_other_data_is_refused(trained, make_spec):
    _, folder = trained
    with pytest.raises(DataError, match=r"data is '[0-9a-f]+' there and '[0-9a-f]+' here"):
        FitSession(
            make_spec(
                "swa[start=0.3]",
                model="gin",
                graphs=planted_graphs(64, seed=9),
                folder=folder,
                resume=True,
            )
        )


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


@pytest.mark.parametrize("place", ["file", "inside"])
def test_a_pickled_object_is_refused_and_not_run(trained, tmp_path, monkeypatch, place):
    spec, folder = trained
    monkeypatch.chdir(tmp_path)
    path = folder / checkpoint.LAST
    if place == "file":
        path.write_bytes(pickle.dumps(Bomb()))
    else:
        content = torch.load(path, weights_only=True)
        torch.save({**content, "notes": [Bomb()]}, path)
    with pytest.raises(DataError, match="is no readable checkpoint"):
        restored(spec)
    assert not (tmp_path / "exploded").exists()


def test_a_damaged_file_is_refused_wherever_it_is_cut_or_changed(trained):
    _, folder = trained
    path = folder / checkpoint.LAST
    whole, sound = path.read_bytes(), checkpoint.load(path)
    draw = random.Random(0)
    for cut in [0, 1, 100, *(draw.randrange(len(whole)) for _ in range(12))]:
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"last\.pt: is no (readable )?checkpoint"):
            checkpoint.load(path)
    for _ in range(60):
        at = draw.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([draw.randrange(256)]) + whole[at + 1 :])
        try:
            read = checkpoint.load(path)
        except DataError:
            continue
        assert not differences(sound, read)
    for length in (1, 10, 1000):
        path.write_bytes(np.random.default_rng(length).bytes(length))
        with pytest.raises(DataError):
            checkpoint.load(path)


@pytest.mark.parametrize(
    "way",
    [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    ids=["deflate", "bz2", "lzma"],
)
def test_a_compressed_one_is_none_of_ours_and_is_not_unpacked(trained, way):
    _, folder = trained
    path = folder / checkpoint.LAST
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", way) as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    whole, draw = path.read_bytes(), random.Random(0)
    for _ in range(100):
        with pytest.raises(DataError, match=r"last\.pt: is (damaged|no readable checkpoint)"):
            checkpoint.load(path)
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)


@pytest.mark.timeout(60)
def test_for_a_pipe_nobody_waits(tmp_path):
    os.mkfifo(tmp_path / "last.pt")
    with pytest.raises(DataError, match=r"last\.pt: is no readable checkpoint"):
        checkpoint.load(tmp_path / "last.pt")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"last\.pt: is no readable checkpoint"):
        checkpoint.load(tmp_path / "last.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(schema=99), "is no checkpoint of format 1"),
        (lambda content: content.pop("configuration"), "it holds no configuration"),
        (lambda content: content.pop("optimizer"), "does not fit the run: KeyError: 'optimizer'"),
        (lambda content: content["model"].popitem(), "does not fit the run: RuntimeError"),
        (lambda content: content.update(epoch="two"), "does not fit the run: TypeError"),
        (lambda content: content["history"][0].pop("f1"), "does not fit the run: ValidationError"),
        (lambda content: content["rng"].update(cpu=torch.zeros(2)), "does not fit the run"),
        (lambda content: content.update(times=None), "does not fit the run: TypeError"),
    ],
)
def test_content_that_does_not_fit_is_named(trained, change, message):
    spec, folder = trained
    changed(folder / checkpoint.LAST, change)
    with pytest.raises(DataError, match=message):
        restored(spec)


def test_a_list_is_no_checkpoint(tmp_path):
    torch.save([1, 2], tmp_path / "last.pt")
    with pytest.raises(DataError, match="is no checkpoint of format"):
        checkpoint.load(tmp_path / "last.pt")
