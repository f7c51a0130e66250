"""Whatever bytes come, a reader gives a valid object or an error for the user that says where."""

from __future__ import annotations

import re
import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness
from harness.errors import DataError
from harness.graphs.sources import code_folder, devign, sven
from tests.fuzz.__main__ import fuzz, main
from tests.fuzz.child import Child
from tests.fuzz.guided import COMPILED
from tests.fuzz.mutate import (
    MOST,
    mutate_bytes,
    mutate_json,
    mutate_lines,
    mutate_npy,
    mutate_zip,
)
from tests.fuzz.target import MIB, Target, one_file
from tests.fuzz.targets import TARGETS

SLOW = {
    "c", "devign", "sven", "code_folder", "code_archive", "report", "page", "merge", "checkpoint",
}  # fmt: skip


@pytest.fixture
def make_child(tmp_path, monkeypatch):
    """A target with its sound input, in this process: ``make_child(target)``."""
    for module in (devign, sven, code_folder):
        monkeypatch.setattr(module, "CReader", module.CReader)  # put back what targets put there
    made = []

    def make(target):
        (tmp_path / "input").mkdir()
        made.append(Child(target, tmp_path / "input", tmp_path / "out"))
        return made[-1]

    yield make
    for child in made:
        child.prepared.end()


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_answers_whatever_bytes_come(name, make_child):
    child = make_child(TARGETS[name])
    child.check_sound()

    @settings(max_examples=2 if name in SLOW else 15, database=None)
    @given(st.integers(0, 2**63))
    def answers(seed):
        path, content = child.damage(Random(seed))
        assert child.execute(path, content) is None

    answers()


@pytest.mark.parametrize(
    "mutate", [mutate_bytes, mutate_json, mutate_lines, mutate_npy, mutate_zip]
)
@given(st.integers(0, 2**63), st.binary(max_size=300))
@settings(max_examples=30)
def test_damage_is_bounded_and_the_same_for_a_seed(mutate, seed, content):
    first = mutate(Random(seed), content, [b"other"])
    assert first == mutate(Random(seed), content, [b"other"])
    assert len(first) <= MOST + 128


def _target(read, **more):
    def prepare(folder):
        path = folder / "file"
        return one_file(path, b"sound", lambda: read(path))

    return Target("planted", prepare, **more)


def _sound_alone(action):
    def read(path):
        if path.read_bytes() != b"sound":
            action(path)

    return read


def _raise(error):
    def act(path):
        raise error

    return act


@pytest.mark.parametrize(
    ("action", "found"),
    [
        (_raise(KeyError("x")), "KeyError at tests/fuzz/test_fuzz.py"),
        (_raise(DataError("bad")), "an error that does not say where: bad"),
        (lambda path: time.sleep(60), "a hang"),
        (lambda path: bytearray(1 << 30), "MemoryError at tests/fuzz/test_fuzz.py"),
    ],
)
def test_the_driver_finds_what_is_planted_and_keeps_it(tmp_path, action, found):
    target = _target(_sound_alone(action), memory=256 * MIB, seconds=1)
    outcome = fuzz(target, seed=1, seconds=0.8, out=tmp_path)
    assert any(problem.startswith(found) for problem in outcome.found), outcome.found
    (damaged,) = (path for path in tmp_path.rglob("*-file"))
    assert damaged.read_bytes() != b"sound"


def test_errors_that_say_where_are_answers(tmp_path):
    target = _target(_sound_alone(lambda path: _raise(DataError.at(path, "bad"))(path)))
    outcome = fuzz(target, seed=1, seconds=0.5, out=tmp_path)
    assert outcome.found == set()
    assert 0 < outcome.refused <= outcome.executions


def test_a_target_that_is_none_is_named(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["fuzz", "--target", "nothing"])
    with pytest.raises(SystemExit):
        main()
    assert "no target nothing; there are selection" in capsys.readouterr().err


def test_no_compiled_module_is_instrumented():
    """What numba compiles and atheris has written into ends every guided target that trains."""
    root = Path(harness.__file__).parent
    compiled = {
        ".".join(("harness", *file.relative_to(root).with_suffix("").parts))
        for file in root.rglob("*.py")
        if re.search(
            r"^from (harness\.compiled|numba) import", file.read_text("utf-8"), re.MULTILINE
        )
    }
    assert set(COMPILED) == compiled | {"harness.compiled"}
