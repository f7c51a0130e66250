"""Names that a new feature may have, and files that are never overwritten."""

from __future__ import annotations

import ast

import pytest

from harness.errors import UsageError
from harness.feature import Claim
from harness.testing.starter import check_name, class_name, starter_files, write_new


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("swa", "there is a feature 'swa'"),
        ("class", "means something else"),
        ("all", "means something else"),
        ("Swa", "cannot be called"),
        ("1st", "cannot be called"),
        ("../up", "cannot be called"),
        ("a-b", "cannot be called"),
        ("", "cannot be called"),
        ("ü", "cannot be called"),
        ("a" * 41, "41 letters"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name, says):
    with pytest.raises(UsageError, match=says):
        check_name(name, {"all"})


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("label_smoothing", "LabelSmoothing"), ("x1__y", "X1Y"), ("field", "FieldFeature")],
)
def test_the_class_is_called_like_the_feature(name, wanted):
    assert class_name(name) == wanted


@pytest.mark.parametrize("packaged", [True, False])
@pytest.mark.parametrize("claim", list(Claim))
def test_files_are_python_and_hold_the_claim(packaged, claim):
    files = starter_files("my_idea", claim, packaged=packaged)
    assert list(files) == ["features/my_idea.py", "tests/features/test_my_idea.py"]
    for text in files.values():
        ast.parse(text)
        assert "$" not in text
    assert f"= Claim.{claim.name}\n" in files["features/my_idea.py"]


def test_none_is_written_if_one_is_there(tmp_path):
    (tmp_path / "b").symlink_to("nowhere")
    with pytest.raises(UsageError, match="is there already"):
        write_new(tmp_path, {"a": "1", "b": "2"})
    assert not (tmp_path / "a").exists()
    assert write_new(tmp_path, {"c/d": "3"}) == [tmp_path / "c/d"]
    assert (tmp_path / "c/d").read_text() == "3"
