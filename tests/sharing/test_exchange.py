"""What one machine found comes to another, and only what can be recomputed is believed."""

from __future__ import annotations

import json

import pytest

from harness.files import write_json, write_whole
from harness.matrix.store import Failure
from harness.sharing.bundle import MOST_BYTES, pack, unpack
from harness.training.checkpoint import LAST

MOST = 1 << 20


@pytest.fixture
def machines(make_judge, exchange_of):
    """Two machines with one plan: each a judge and its exchange."""
    judges = [make_judge("planted_noop", store=name) for name in ("one", "two")]
    return [(judge, exchange_of(judge)) for judge in judges]


def _files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_trial_arrives_byte_for_byte_and_once(machines, write_trial):
    (ours, giving), (theirs, taking) = machines
    one, two = list(ours.plan.trials)[:2]
    write_trial(ours, one, wrong=2)
    giving.push_trial(one)
    assert taking.pull_trials() == [one]
    assert _files(theirs.store.trial(one)) == _files(ours.store.trial(one))
    assert taking.pull_trials() == []
    write_trial(ours, two)
    giving.push_trials()
    assert taking.pull_trials() == [two]


def test_of_two_runs_of_a_trial_the_first_stays(machines, write_trial):
    (ours, first), (theirs, second) = machines
    key = next(iter(ours.plan.trials))
    write_trial(ours, key)
    write_trial(theirs, key, wrong=3)
    first.push_trial(key)
    kept = first.objects.get("trials", f"{key}.zip", most=MOST)
    second.pull_trials()
    second.push_trial(key)
    assert first.objects.get("trials", f"{key}.zip", most=MOST) == kept


def _change(content, tmp_path, change):
    """The bundle after its result was changed."""
    folder = tmp_path / "changed"
    unpack(content, folder, "here")
    result = json.loads((folder / "result.json").read_text())
    change(result, folder)
    write_json(folder / "result.json", result)
    return pack(folder)


def _better(result, folder):
    result["f1"] = 1.0


def _other(result, folder):
    result["spec"]["seed"] += 1


def _elsewhere(result, folder):
    result["hardware"]["kind"] = "a100"


def _predictions(result, folder):
    content = bytearray((folder / "gate.npz").read_bytes())
    content[-200] ^= 1
    write_whole(folder / "gate.npz", bytes(content))


@pytest.mark.parametrize("change", [_better, _other, _elsewhere, _predictions])
def test_what_was_changed_is_refused_and_replaced(machines, write_trial, tmp_path, change):
    (ours, giving), (theirs, taking) = machines
    key = next(iter(ours.plan.trials))
    write_trial(ours, key, wrong=2)
    giving.push_trial(key)
    sound = giving.objects.get("trials", f"{key}.zip", most=MOST)
    giving.objects.put(_change(sound, tmp_path, change), "trials", f"{key}.zip")
    assert taking.pull_trials(all_of_them=True) == []
    assert f"trials/{key}.zip" in taking.refused[key]
    assert not theirs.store.finished(key)
    # The machine trains it itself, and its result takes the place of the other one.
    write_trial(theirs, key, wrong=2)
    taking.push_trial(key)
    assert not taking.refused
    assert giving.objects.get("trials", f"{key}.zip", most=MOST) == sound


def test_what_is_too_large_is_refused_and_the_rest_comes(machines, write_trial, tmp_path):
    (ours, giving), (_, taking) = machines
    one, two = list(ours.plan.trials)[:2]
    timing = ours.plan.features[0].cells[0].timing
    write_trial(ours, two)
    giving.push_trials()
    large = ("trials", f"{one}.zip"), ("blocks", f"{timing}.json"), ("work", f"{one}.zip")
    for part, name in large:
        giving.objects.put(b"", part, name)
        with (tmp_path / "shared" / part / name).open("wb") as file:
            file.truncate(MOST_BYTES + 1)
    assert taking.pull_trials(all_of_them=True) == [two]
    taking.pull_records()
    assert not taking.pull_work(one)
    assert set(taking.refused) == {one, f"blocks/{timing}", f"work/{one}"}
    assert all("bytes, of" in what for what in taking.refused.values())


def test_the_longer_series_of_blocks_and_the_more_attempts_are_kept(machines):
    (ours, giving), (theirs, taking) = machines
    timing = ours.plan.features[0].cells[0].timing
    visit = {"epochs": [1.0], "cpu": 1.0, "setup": [], "finish": [], "peak_bytes": 1}
    block = {"order": ["baseline"], "baseline": [visit] * 2, "candidate": [visit] * 2}
    ours.store.keep("blocks", timing, [block] * 3)
    theirs.store.keep("blocks", timing, [block] * 2)
    key = next(iter(ours.plan.trials))
    ours.store.fail(key, Failure(kind="killed", detail="memory"))
    giving.push_records()
    taking.pull_records()
    assert theirs.store.read("blocks", timing) == [block] * 3
    assert theirs.store.failure(key).detail == "memory"
    theirs.store.keep("blocks", timing, [block] * 5)
    taking.pull_records()
    assert len(theirs.store.read("blocks", timing)) == 5
    for damaged in (b"{}", b"null", b'{"digest": "x"}', b"", b"[" * 990 + b"]" * 990):
        taking.refused.clear()
        giving.objects.put(damaged, "blocks", f"{timing}.json")
        taking.pull_records()
        assert len(theirs.store.read("blocks", timing)) == 5
        address = giving.objects.address("blocks", f"{timing}.json")
        assert address in taking.refused[f"blocks/{timing}"]


def test_checkpoints_of_an_interrupted_trial_move_and_locks_stay(machines, write_trial):
    (ours, giving), (theirs, taking) = machines
    key = next(iter(ours.plan.trials))
    write_whole(ours.store.work(key) / LAST, b"state")
    write_whole(ours.store.work(key) / "lock", b"")
    giving.push_work([key])
    assert taking.pull_work(key)
    assert _files(theirs.store.work(key)) == {LAST: b"state"}
    assert not taking.pull_work(key)
    write_trial(theirs, key)
    taking.push_trial(key)
    assert not giving.objects.versions("work")
