from __future__ import annotations

from dataclasses import replace

import pytest

from harness.calibration.many import MARGINS, Count, count_passes
from harness.matrix.events import Judged

COUNT = Count(0.02, 0.005, passed=0, failed=190, judged=196, invalid=4, trials=7000)


def test_a_rate_that_the_promise_allows_is_no_surprise():
    line = COUNT.line()
    assert line.kept
    assert "PASS 0 of 196 = 0.0% (0.0% to 1.9%)" in line.obtained
    assert "4 with an invalid baseline" in line.obtained


def test_a_rate_that_is_surely_more_than_promised_is_a_surprise():
    assert replace(COUNT, passed=3).line().kept  # 0.3 % to 4.4 %
    assert not replace(COUNT, passed=8).line().kept
    assert replace(COUNT, margin=0.0, promised=0.035, passed=9).line().kept


def test_no_gate_at_all_is_a_surprise():
    assert not replace(COUNT, judged=0, failed=0, invalid=196).line().kept


@pytest.mark.timeout(240)
def test_gates_share_nothing_but_their_margins(tmp_path):
    done = []

    def listen(event):
        if isinstance(event, Judged) and event.done:
            done.append(event)

    changed = {
        "jobs": 2,
        "data_root": tmp_path / "data",
        "epochs": 2,
        "warmup_epochs": 2,
        "seeds": 3,
    }
    counts = count_passes(2, tmp_path / "out", changed, listen)
    assert [(count.margin, count.promised) for count in counts] == list(MARGINS)
    assert all(count.judged + count.invalid == 2 for count in counts)
    assert len(done) == 2 * len(MARGINS)
    # Both margins read the same runs: three pairs a data set, some more for the collapse gate.
    assert all(12 <= count.trials <= 80 for count in counts)
    again = count_passes(2, tmp_path / "out", changed, listen)
    assert again == counts
