from __future__ import annotations

import pytest

from harness.report.forecast import clock


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0 s"), (0.314, "0.31 s"), (9.96, "10 s"), (41.2, "41 s"), (119.0, "119 s"),
        (121.0, "2 min"), (3599.0, "60 min"), (3600.0, "1 h 00 min"), (7505.0, "2 h 05 min"),
    ],
)  # fmt: skip
def test_durations_as_people_say_them(seconds: float, said: str):
    assert clock(seconds) == said
