"""A new feature is written whole or not at all, and is known at once."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.feature import FEATURES
from harness.report.start import start_feature


@pytest.fixture
def _own_registry(monkeypatch):
    """What a test registers is forgotten after it."""
    FEATURES.load()
    for table in ("_entries", "_origins"):
        monkeypatch.setattr(FEATURES, table, dict(getattr(FEATURES, table)))


@pytest.mark.usefixtures("_own_registry")
def test_elsewhere_it_is_a_plugin_with_a_page_of_its_own(tmp_path):
    started = start_feature("my_idea", tmp_path, "memory")
    feature, test, page = started.files
    assert feature == tmp_path / "features/my_idea.py"
    assert test == tmp_path / "tests/features/test_my_idea.py"
    assert page.read_text("utf-8").startswith("# my\\_idea\n")
    assert FEATURES.get("my_idea").claim == "memory"
    assert started.commands[1] == "ablate run --plugins features/my_idea.py --features my_idea"


@pytest.mark.parametrize(
    "taken", ["features/x1.py", "tests/features/test_x1.py", "docs/features/x1.md"]
)
def test_one_file_that_is_there_keeps_all_from_being_written(tmp_path, taken):
    (tmp_path / taken).parent.mkdir(parents=True)
    (tmp_path / taken).write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        start_feature("x1", tmp_path, "quality")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / taken]
    assert (tmp_path / taken).read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "claim", "says"),
    [
        ("plain", "quality", "means something else"),
        ("phase1", "quality", "means something else"),
        ("swa", "quality", "there is a feature"),
        ("x1", "fame", "'fame' is no claim"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path, name, claim, says):
    with pytest.raises(UsageError, match=says):
        start_feature(name, tmp_path, claim)
    assert not list(tmp_path.iterdir())
