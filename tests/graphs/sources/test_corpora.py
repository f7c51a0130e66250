from __future__ import annotations

import sys
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.graphs.sources.base import installed
from harness.graphs.sources.corpora import PACKAGES, STDLIB, locate


def test_the_standard_library_is_found_without_tests_and_installed_packages():
    corpus = locate(STDLIB)
    names = [file.relative_to(corpus.root).as_posix() for file in corpus.files]
    assert "json/decoder.py" in names
    assert "ast.py" in names
    assert names == sorted(names, key=lambda name: Path(name).parts)
    parts = {part for name in names for part in Path(name).parts}
    assert not parts & {"site-packages", "test", "tests", "idlelib", "__pycache__"}


def test_a_package_and_a_single_module_are_found():
    package = locate("json")
    assert package.root.name == "json"
    assert "decoder.py" in [file.name for file in package.files]
    module = locate("ast")
    assert [file.name for file in module.files] == ["ast.py"]


@pytest.mark.parametrize("name", ["no_such_package_here", "sys", "_json"])
def test_what_is_not_installed_as_source_is_none(name):
    assert locate(name) is None


@pytest.mark.parametrize("name", ["json.decoder", "", "../json", "a b", "-x"])
def test_a_name_that_could_run_code_or_is_none_is_refused(name):
    with pytest.raises(UsageError, match="no name of a top-level package"):
        locate(name)


def test_a_package_is_found_without_being_imported(tmp_path, monkeypatch):
    bomb = tmp_path / "explosive"
    bomb.mkdir()
    (bomb / "__init__.py").write_text("raise SystemExit('imported')")
    (bomb / "part.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    corpus = locate("explosive")
    assert [file.name for file in corpus.files] == ["__init__.py", "part.py"]
    assert "explosive" not in sys.modules


def test_the_packages_are_installed_by_the_harness_itself():
    """Every package is a declared dependency, or is required by one, as installed."""
    known: set[str] = set()
    todo = ["gnn-ablation-harness"]
    while todo:
        name = todo.pop()
        for line in requires(name) or () if installed([name])[name] else ():
            if "extra ==" in line:
                continue
            wanted = line.split(";")[0]
            for sign in "[<>=!~ (":
                wanted = wanted.split(sign)[0]
            wanted = wanted.lower().replace("_", "-").strip()
            if wanted not in known:
                known.add(wanted)
                todo.append(wanted)
    assert known, "the harness is not installed"
    found = {name for name in PACKAGES if find_spec(name) is not None}
    foreign = {name for name in found if PACKAGES[name].lower().replace("_", "-") not in known}
    assert foreign == set()
