"""Searches without training: a made-up fit whose F1 is a known function of the values."""

from __future__ import annotations

import pytest

from harness.result import Collapse, FitResult
from harness.tuning.search import Search


@pytest.fixture
def made_up(make_record):
    """A fit of ``epochs`` records whose last F1 is ``f1(spec)``; it runs the arm's observers."""

    class Seen:
        def __init__(self, spec, epoch, history):
            self.spec, self.epoch, self.history, self.arm = spec, epoch, history, spec.arm

    def make(f1, *, collapse=None, specs=None):
        def fit(spec):
            if specs is not None:
                specs.append(spec)
            wanted = f1(spec)
            history = []
            for epoch in range(spec.settings.epochs):
                share = (epoch + 1) / spec.settings.epochs
                history.append(make_record(epoch, f1=wanted * share))
                for feature in spec.arm:
                    feature.on_evaluation_end(Seen(spec, epoch, history))
            found = Collapse(rule=collapse, epoch=0, detail="made up") if collapse else None
            return FitResult(tuple(history), len(history) - 1, 0.5, None, None, found)

        return fit

    return make


@pytest.fixture
def search():
    """A search of the learning rate: ``search(trials=4)``."""

    def make(**more):
        return Search(**{"space": "learning_rate=1e-4..1e-1:log", "trials": 6, **more})

    return make
