from __future__ import annotations

import pytest

from harness.calibration.real import PLANTED
from harness.registry import import_plugin


@pytest.fixture(scope="session", autouse=True)
def _planted():
    import_plugin(PLANTED)
