"""What is stored is whole, is what it says it is, and nothing else is believed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.errors import StoreError
from harness.matrix import store as store_module
from harness.matrix.records import Failure
from harness.matrix.store import GateScores


@pytest.fixture
def judge(make_judge):
    return make_judge("planted_noop")


@pytest.fixture
def key(judge):
    return judge.plan.features[0].cells[0].baseline[0]


def test_a_result_reads_back_as_it_was(judge, key, write_trial):
    result, gate = write_trial(judge, key, wrong=2)
    stored = judge.store.result(key)
    assert stored == result
    read = judge.store.gate(stored)
    assert all(np.array_equal(getattr(read, name), value) for name, value in vars(gate).items())


def test_a_trial_is_finished_only_when_its_folder_is_whole(judge, key, write_trial, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "write_json", full)
        with pytest.raises(OSError, match="No space"):
            write_trial(judge, key)
    assert not judge.store.finished(key)
    assert judge.store.keys() == []
    write_trial(judge, key)
    assert judge.store.finished(key)
    assert judge.store.keys() == [key]


def test_what_is_left_of_a_deleted_result_does_not_keep_a_new_one_from_its_place(
    judge, key, write_trial
):
    result, _ = write_trial(judge, key)
    (judge.store.history_file(key).parent / "result.json").unlink()
    assert not judge.store.finished(key)
    write_trial(judge, key)
    assert judge.store.result(key) == result


def test_what_the_trial_left_in_its_scratch_folder_is_kept(judge, key, write_trial):
    work = judge.store.work(key)
    (work / "tensorboard").mkdir(parents=True)
    (work / "tensorboard" / "events").write_text("x")
    (work / "metrics_history.csv").write_text("epoch\n")
    (work / "last.pt").write_text("big")
    write_trial(judge, key)
    folder = judge.store.history_file(key).parent
    assert sorted(path.name for path in folder.iterdir()) == [
        "gate.npz", "metrics_history.csv", "result.json", "tensorboard",
    ]  # fmt: skip
    assert not work.exists()


def test_a_result_under_another_trials_name_is_refused(judge, write_trial):
    first, second = judge.plan.features[0].cells[0].baseline[:2]
    write_trial(judge, first)
    folder = judge.store.root / "trials"
    (folder / first).rename(folder / second)
    with pytest.raises(StoreError, match="another trial"):
        judge.store.result(second)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"epochs": 1,', '"epochs": "many",'),
        lambda text: text.replace('"version": 1', '"version": 1, "surprise": 2', 1),
        lambda text: text.replace('"threshold": 0.5', '"threshold": 0.7'),
        lambda text: text.replace('"digest"', '"digesu"'),
    ],
)
def test_a_damaged_result_names_the_file(judge, key, write_trial, change):
    write_trial(judge, key)
    path = judge.store.root / "trials" / key / "result.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(StoreError, match=r"result\.json"):
        judge.store.result(key)


def test_a_flipped_bit_in_the_predictions_is_noticed(judge, key, write_trial):
    result, _ = write_trial(judge, key)
    path = judge.store.root / "trials" / key / "gate.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="not the file that the trial wrote"):
        judge.store.gate(result)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04K\x01."])
def test_predictions_are_plain_arrays_or_refused(content):
    with pytest.raises(ValueError, match=r"."):
        GateScores.from_bytes(content)


def test_predictions_are_the_same_bytes_every_time(judge, key, write_trial):
    _, gate = write_trial(judge, key)
    assert gate.to_bytes() == gate.to_bytes()


def test_a_failure_is_no_result_and_goes_when_the_trial_succeeds(judge, key, write_trial):
    judge.store.fail(key, Failure(kind="error", detail="it broke"))
    assert not judge.store.finished(key)
    assert judge.store.failure(key).detail == "it broke"
    assert judge.store.failed() == {key}
    write_trial(judge, key)
    assert judge.store.failure(key) is None
    assert judge.store.failed() == set()


def test_records_are_json_and_checked_when_they_are_read(judge):
    visit = {"epochs": [1.0], "cpu": 1.0, "setup": [], "finish": [], "peak_bytes": 1}
    block = {"baseline": [visit, visit], "candidate": [visit, visit]}
    assert judge.store.read("blocks", "x") is None
    judge.store.keep("blocks", "x", [block])
    path = judge.store.root / "blocks" / "x.json"
    (written,) = json.loads(path.read_text())
    assert written.pop("digest")
    assert written == block
    assert judge.store.read("blocks", "x") == [block]
    path.write_text(json.dumps([block]).replace("1.0", "NaN", 1))
    with pytest.raises(StoreError, match=r"x\.json: field '0\.baseline\.0\.epochs\.0'"):
        judge.store.read("blocks", "x")


def test_a_record_that_was_changed_is_refused_and_says_what_to_do(judge):
    judge.store.keep("references", "x", {"always_vulnerable": 0.4, "regression": 0.45})
    path = judge.store.root / "references" / "x.json"
    path.write_text(path.read_text().replace("0.45", "0.85"))
    with pytest.raises(StoreError, match=r"(?s)x\.json: is not what was written.*delete it"):
        judge.store.read("references", "x")
