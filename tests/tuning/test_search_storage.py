"""Where a study is kept, and what is said of storages that cannot be."""

from __future__ import annotations

import importlib.util

import pytest

pytest.importorskip("optuna", reason="the extra hpo is not installed")

from harness.errors import UsageError
from harness.tuning.storage import open_storage


def test_without_a_name_it_is_a_journal_in_the_folder_or_memory(tmp_path):
    assert open_storage("", tmp_path / "new").where == str(tmp_path / "new" / "study.journal")
    assert (tmp_path / "new" / "study.journal").exists()
    assert open_storage("", None).where == "memory"


def test_a_path_is_a_journal_and_a_url_a_database(tmp_path):
    assert open_storage(str(tmp_path / "mine"), None).where == str(tmp_path / "mine")
    url = f"sqlite:///{tmp_path}/study.db"
    assert open_storage(url, None).where == url
    assert (tmp_path / "study.db").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}/missing/study", "there is no folder"),
        ("{}", "cannot be written"),
        ("sqlite:///{}/missing/study.db", "cannot be opened"),
        ("nosuchdb://host/name", "cannot be opened"),
        ("postgresql+nosuchdriver://user@host/name", "cannot be opened"),
        ("redis://host", "cannot be opened"),
        ("://", "cannot be opened"),
    ],
)
def test_what_cannot_be_opened_is_said(tmp_path, text, says):
    with pytest.raises(UsageError) as caught:
        open_storage(text.format(tmp_path), None)
    assert says in caught.value.what
    assert "storage '" in caught.value.where
    assert "sqlite:///study.db" in caught.value.mend


def test_passwords_are_not_shown():
    with pytest.raises(UsageError) as caught:
        open_storage("nosuchdb://me:secret@host/name", None)
    assert "secret" not in str(caught.value)
    assert "me:***@host" in caught.value.where


def test_a_database_whose_driver_is_missing_is_said_to_lack_it():
    if importlib.util.find_spec("psycopg") is not None:
        pytest.skip("psycopg is installed")
    with pytest.raises(UsageError, match="driver is not installed"):
        open_storage("postgresql+psycopg://me@localhost/name", None)
