"""``ablate features --new`` for real: what it writes keeps the contract, ruff and mypy at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def run(tmp_path):
    """Run a Python module in an empty folder, where packages of that folder come first."""

    def call(*words, code=0):
        done = subprocess.run(
            [sys.executable, "-m", *map(str, words)],
            cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "COLUMNS": "200"},
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    return call


@pytest.fixture
def tree(tmp_path):
    """A tree like the project's, with its features and its rules."""
    # The linter tells the project's own packages by what lies in the tree.
    (tmp_path / "harness").symlink_to(ROOT / "harness")
    shutil.copytree(ROOT / "features", tmp_path / "features", ignore=_compiled)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=_compiled)
    return tmp_path


_compiled = shutil.ignore_patterns("__pycache__")


def _files(folder):
    return {
        str(path.relative_to(folder)): path.read_text("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.relative_to(folder).parts[0] != "harness"
        and "__pycache__" not in path.parts
        and ".pytest_cache" not in path.parts
    }


@pytest.mark.slow
def test_outside_of_the_project_it_is_a_plugin_that_keeps_the_contract(run, tmp_path):
    said = run("harness", "features", "--new", "my_idea", "--into", "mine", "--claim", "speed")
    files = _files(tmp_path)
    assert sorted(files) == [
        "mine/docs/features/my_idea.md",
        "mine/features/my_idea.py",
        "mine/tests/features/test_my_idea.py",
    ]
    assert all(str(Path(name)) in said for name in files)
    assert files["mine/docs/features/my_idea.md"].startswith("# my\\_idea\n")
    assert "**Claim:** speed." in files["mine/docs/features/my_idea.md"]
    tested = run("pytest", "-q", "-p", "no:cacheprovider", "mine/tests")
    assert "11 passed" in tested
    # Again is refused, and nothing is touched.
    refused = run("harness", "features", "--new", "my_idea", "--into", "mine", code=2)
    assert "is there already" in refused
    assert _files(tmp_path) == files


@pytest.mark.slow
@pytest.mark.parametrize("name", ["field", "a_name_of_forty_letters_which_is_a_lot_x"])
def test_in_the_project_it_passes_its_rules_and_is_on_the_page(run, tree, name):
    before = _files(tree)
    run("harness", "features", "--new", name)
    after = _files(tree)
    page = "docs/features.md"
    assert {one for one in after if after[one] != before.get(one)} == {
        f"features/{name}.py",
        f"tests/features/test_{name}.py",
        page,
    }
    assert after[page] == run("harness", "features", "--markdown")
    new = (f"features/{name}.py", f"tests/features/test_{name}.py")
    run("ruff", "check", *new)
    run("ruff", "format", "--check", *new)
    run("mypy", f"features/{name}.py")
    assert "11 passed" in run("pytest", "-q", "-p", "no:cacheprovider", new[1])


@pytest.mark.slow
def test_a_page_that_is_not_the_commands_is_left_alone(run, tree):
    (tree / "docs/features.md").write_text("mine")
    said = run("harness", "features", "--new", "my_idea")
    assert "ablate features --markdown > docs/features.md" in said
    assert (tree / "docs/features.md").read_text() == "mine"
