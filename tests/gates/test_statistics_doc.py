"""Every example of the documentation runs, and its constants are those in use."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from harness.gates.tables import C_FAIL, C_PASS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "STATISTICS.md"


def test_every_example_runs():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried > 15
    assert failed == 0


def test_the_constants_shown_are_those_in_use():
    rows = dict(re.findall(r"^\| (cP|cF) \|(.*)\|$", PAGE.read_text(), re.MULTILINE))
    for name, table in (("cP", C_PASS), ("cF", C_FAIL)):
        shown = [cell.strip() for cell in rows[name].split("|")]
        assert shown == [f"{table[n]:.2f}" if n in table else "-" for n in range(3, 21)]
