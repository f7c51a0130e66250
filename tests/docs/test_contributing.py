"""The feature that CONTRIBUTING shows is a whole one, and is the example package's too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/label-smoothing"


@pytest.fixture(scope="module")
def shown():
    found = re.findall(
        r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.DOTALL
    )
    assert len(found) == 1
    return found[0]


def test_the_example_package_holds_the_feature_that_is_shown(shown):
    assert (EXAMPLE / "ablation_label_smoothing.py").read_text("utf-8") == shown
