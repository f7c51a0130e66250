from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.gates.sequential import decide
from harness.matrix.events import Judged, TrialEnded, TrialStarted
from harness.report.live import Watch, pairs_of


@pytest.fixture
def watch():
    clock = iter(range(0, 1000, 10))
    return Watch(SimpleNamespace(features=(), models=()), 2, lambda: next(clock))


def _ended(watch, seconds, count):
    for _ in range(count):
        watch.hear(TrialStarted(SimpleNamespace(key=str(seconds))))
        watch.hear(
            TrialEnded(None, SimpleNamespace(key=str(seconds), status="finished", seconds=seconds))
        )


def _judged(name, pairs, *, done):
    return Judged(SimpleNamespace(name=name, cells=(1, 2, 3)), None, pairs, done)


@pytest.mark.parametrize(
    ("differences", "shown"),
    [
        ([0.03, 0.05, 0.07], "n=3/7"),  # about four more would decide it
        ([0.019, 0.02, 0.021], "n=3/10"),  # so near the margin that none can be named
        ([-0.1, -0.11, -0.12], "n=3"),
        ([0.05, -0.01] * 5, "n=10"),
    ],
)
def test_a_cell_shows_its_pairs_and_how_many_it_needs(differences, shown):
    assert pairs_of(decide(differences, 0.02)) == shown


def test_nothing_is_estimated_before_the_first_trial(watch):
    watch.hear(_judged("amp", 0, done=False))
    assert watch.remaining() is None


def test_the_first_estimate_takes_eight_pairs_a_feature(watch):
    _ended(watch, 20.0, 3)
    watch.hear(_judged("amp", 3, done=False))
    watch.hear(_judged("swa", 0, done=False))
    assert watch.remaining() == (5 + 8) * 20.0 / 2


def test_later_ones_go_by_what_other_features_took(watch):
    _ended(watch, 20.0, 4)
    watch.hear(_judged("amp", 10, done=True))
    watch.hear(_judged("swa", 4, done=False))
    watch.hear(_judged("lr_finder", 30, done=False))
    assert watch.remaining() == (6 + 1) * 20.0 / 2
    assert "4 trials done, 0 running" in watch.status()
