"""Plugins of a campaign by the names that they have on a node."""

from __future__ import annotations

import pytest

from harness.cluster.run import plugin_files
from harness.errors import UsageError


def test_every_plugin_is_there_once_with_what_it_holds(tmp_path):
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    assert plugin_files([one, other, one]) == {"one.py": b"1", "other.py": b"2"}


def test_two_of_one_name_are_refused(tmp_path):
    files = [tmp_path / folder / "mine.py" for folder in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.write_bytes(b"")
    with pytest.raises(UsageError, match="would be one file on a node") as caught:
        plugin_files(files)
    assert all(str(file) in str(caught.value) for file in files)
