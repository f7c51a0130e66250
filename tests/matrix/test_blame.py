"""An error of a trial is traced to the feature and the hook that it comes from."""

from __future__ import annotations

from typing import ClassVar

import pytest

from harness.feature import FEATURES, Claim, Feature
from harness.matrix.blame import raised_in


class Broken(Feature):
    name: ClassVar[str] = "planted_broken"
    claim: ClassVar[Claim] = Claim.QUALITY

    def on_epoch_end(self, run):
        raise RuntimeError("in an event")

    def criterion(self, run):
        def losses(logits, label):
            raise RuntimeError("in what a slot gave")

        return losses

    def around_fit(self, fit, spec):
        return fit(spec)


def _error_of(call, *arguments):
    try:
        call(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever it raises is looked at
        return error
    pytest.fail("nothing was raised")


def test_the_hook_that_raised_is_named():
    error = _error_of(Broken().on_epoch_end, None)
    assert raised_in(error) == ("planted_broken", "on_epoch_end")


def test_of_a_wrap_and_what_it_encloses_the_inner_one_is_named():
    error = _error_of(Broken().around_fit, Broken().on_epoch_end, None)
    assert raised_in(error) == ("planted_broken", "on_epoch_end")


def test_what_a_registered_feature_gave_away_counts_as_its_hook(monkeypatch):
    monkeypatch.setitem(FEATURES._entries, "planted_broken", Broken)
    error = _error_of(Broken().criterion(None), None, None)
    assert raised_in(error) == ("planted_broken", "criterion")


def test_an_error_of_the_loop_is_nobodys():
    assert raised_in(_error_of(int, "x")) is None
