"""docs/features.md is what its command prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.feature import FEATURES
from harness.report.cards import to_cards

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/features.md").read_bytes()
MEND = "run: ablate features --markdown > docs/features.md"


def test_the_page_is_made_of_the_cards():
    built_in = [(name, one) for name, one in FEATURES if one.__module__.startswith("features.")]
    assert to_cards(built_in).encode() == PAGE, MEND


@pytest.mark.slow
def test_the_command_prints_it():
    done = subprocess.run(
        [sys.executable, "-m", "harness", "features", "--markdown"],
        cwd=ROOT, capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout == PAGE, MEND
