from __future__ import annotations

import numpy as np

from harness.calibration.simulated import HEADERS, characteristics, line_of, promises
from harness.gates.simulate.figures import Figure


def test_every_promise_is_a_line_and_kept_within_the_error_of_the_simulation():
    lines = list(promises(np.random.default_rng(3), 200))
    assert len(lines) > 25
    assert {line.what[0] for line in lines} == set("1234567")
    assert sum(not line.kept for line in lines) <= 1  # of 2 standard errors each


def test_a_broken_promise_is_a_surprise():
    line = line_of(Figure(1, "true 0: PASS", 0.2, most=0.005, error=0.01))
    assert not line.kept
    assert (line.what, line.wanted, line.obtained) == ("1. true 0: PASS", "<= 0.005", "0.2")
    assert line_of(Figure(1, "true 0: PASS", 0.02, most=0.005, error=0.01)).kept


def test_characteristics_tell_gains_from_losses():
    rows = [one.row for one in characteristics(np.random.default_rng(0), 50)]
    assert all(len(row) == len(HEADERS) for row in rows)
    passed = {row[:3]: float(row[3].rstrip("%")) for row in rows}
    assert passed["+5", "0.01", "20"] > 95
    assert passed["-2", "0.01", "20"] == 0
