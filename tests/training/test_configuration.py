"""What a run is in plain values, and what its files say of where they come from."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from harness.training.configuration import (
    configuration,
    differences,
    git_commit,
    metadata,
)

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def test_a_configuration_is_json_and_holds_every_value(make_spec):
    found = configuration(make_spec("focal_loss[gamma=3]", model="gat[heads=2]", seed=5))
    assert json.loads(json.dumps(found)) == found
    assert found["model_values"] == {"hidden": 64, "layers": 3, "dropout": 0.2, "heads": 2}
    assert found["arm"] == ["focal_loss[gamma=3.0]"]
    assert found["seed"] == 5
    assert found["settings"]["schedule"] == "plateau"


def test_equal_configurations_do_not_differ(make_spec):
    one, other = configuration(make_spec("swa")), configuration(make_spec("swa"))
    assert differences(one, other) == []


@pytest.mark.parametrize(
    ("stored", "wanted", "said"),
    [
        ({"a": 1}, {"a": 2}, ["a is 1 there and 2 here"]),
        ({"a": {"b": 1.0, "c": 0}}, {"a": {"b": 2.0, "c": 0}}, ["a.b is 1.0 there and 2.0 here"]),
        ({}, {"a": 1}, ["a is missing there and 1 here"]),
        ({"a": 1}, {}, ["a is 1 there and missing here"]),
        ({"a": "x" * 500}, {"a": "y"}, [f"a is 'x{'x' * 68}... there and 'y' here"]),
        ({"a": 1}, {"a": True}, ["a is 1 there and True here"]),
        (None, {"a": 1}, ["it holds no configuration"]),
        ([], {"a": 1}, ["it holds no configuration"]),
    ],
)
def test_differences_are_named_by_their_place(stored, wanted, said):
    assert differences(stored, wanted) == said


def git(folder, *arguments):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@needs_git
def test_the_commit_is_that_of_the_working_folder_and_says_if_it_is_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit() is None
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    clean = git_commit()
    assert len(clean) == 40
    (tmp_path / "a").write_text("2")
    assert git_commit() == f"{clean}+changes"


def test_without_git_there_is_no_commit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit() is None


def test_metadata_is_plain_so_that_a_checkpoint_can_hold_it(make_spec):
    found = metadata(make_spec())
    assert type(found["torch"]) is str
    assert type(found["schema"]) is int
