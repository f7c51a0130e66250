"""The journal: what is written stays, whoever is killed while writing."""

from __future__ import annotations

import json
import multiprocessing

import pytest

pytest.importorskip("optuna", reason="the extra hpo is not installed")

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from harness.errors import DataError
from harness.tuning.journal import LockedJournal
from harness.tuning.storage import open_storage


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.journal"


def test_lines_are_read_from_any_number_on(path):
    journal = LockedJournal(path)
    journal.append_logs([{"a": 1}, {"a": 2}])
    journal.append_logs([{"a": 3}])
    for start in (0, 1, 2, 3, 0):
        assert [one["a"] for one in journal.read_logs(start)] == list(range(start + 1, 4))
    assert [one["a"] for one in LockedJournal(path).read_logs(2)] == [3]


@pytest.mark.parametrize("cut", ['{"a"', "", "x" * 10_000, '{"a":9}'])
def test_a_line_cut_by_a_kill_is_left_out_and_then_overwritten(path, cut):
    journal = LockedJournal(path)
    journal.append_logs([{"a": 1}])
    with path.open("a") as file:
        file.write(cut)
    assert list(journal.read_logs(0)) == [{"a": 1}]
    LockedJournal(path).append_logs([{"a": 2}])
    assert list(journal.read_logs(0)) == [{"a": 1}, {"a": 2}]
    assert path.read_text().splitlines() == ['{"a":1}', '{"a":2}']


def test_a_file_that_is_one_cut_line_starts_anew(path):
    path.write_text("x" * 9000)
    LockedJournal(path).append_logs([{"a": 1}])
    assert path.read_text() == '{"a":1}\n'


@pytest.mark.parametrize("line", ["no json", "[1]", "\xff"])
def test_a_line_that_is_none_is_named_with_its_number(path, line):
    path.write_text(f'{{"a":1}}\n{line}\n')
    with pytest.raises(DataError) as caught:
        list(LockedJournal(path).read_logs(0))
    assert caught.value.where == f"{path}:2"


@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a":', "}")])
def test_a_line_may_be_nested_as_deeply_as_no_study_is(path, opens, closes):
    path.write_text(f'{{"a":{opens * 99}0{closes * 99}}}\n')
    assert len(list(LockedJournal(path).read_logs(0))) == 1
    path.write_text(f'{{"a":{opens * 100}0{closes * 100}}}\n')
    with pytest.raises(DataError, match="is no line of a study"):
        list(LockedJournal(path).read_logs(0))


def test_a_line_without_an_end_takes_no_more_memory_than_a_long_one(path):
    with path.open("wb") as file:
        file.write(b'{"a":1}\n')
        file.truncate(10 << 30)
    with pytest.raises(DataError, match="is no line of a study") as caught:
        list(LockedJournal(path).read_logs(0))
    assert caught.value.where == f"{path}:2"


@pytest.mark.parametrize(
    "line",
    [
        '{"op_code":99,"worker_id":"w"}',
        '{"op_code":0,"worker_id":"w"}',
        '{"op_code":0,"worker_id":"w","study_name":"s","directions":[7]}',
        '{"op_code":4,"worker_id":"w","study_id":0,"datetime_start":"yesterday"}',
        "[" * 100_000,
        f'{{"op_code":2,"worker_id":"w","study_id":0,"user_attr":{{"x":{"[" * 480}{"]" * 480}}}}}',
    ],
)
def test_what_optuna_cannot_replay_is_no_study(path, line):
    sound = '{"op_code":0,"worker_id":"w","study_name":"s","directions":[2]}'
    path.write_text(f"{sound}\n{line}\n")
    with pytest.raises(DataError, match=r"is no (study|line of a study)") as caught:
        open_storage(str(path), None)
    assert str(path) in caught.value.where


def test_optuna_reads_what_is_written_and_the_other_way_round(path):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ours = optuna.create_study(storage=JournalStorage(LockedJournal(path)), study_name="s")
    ours.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    theirs = optuna.load_study(
        study_name="s", storage=JournalStorage(JournalFileBackend(str(path)))
    )
    theirs.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert [trial.value for trial in ours.trials] == [trial.value for trial in theirs.trials]
    assert len(ours.trials) == 3


def _append(path, name):
    journal = LockedJournal(path)
    for number in range(50):
        journal.append_logs([{"name": name, "number": number}])


def test_two_processes_write_whole_lines(path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append, args=(path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for name in "ab":
        assert [one["number"] for one in lines if one["name"] == name] == list(range(50))
