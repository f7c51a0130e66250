"""Each question by itself, on made-up evidence with a known answer."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.doctor.answer import Ailment
from harness.doctor.evidence import Evidence
from harness.doctor.questions import (
    does_it_collapse,
    does_it_fit,
    is_f1_enough,
    is_it_fast_enough,
)
from harness.matrix.footprint import Footprint
from harness.matrix.sizing import GraphSizes
from harness.result import Collapse
from harness.testing import planted_graphs

GRAPHS = planted_graphs(100)


@pytest.fixture
def seen(make_record):
    def make(f1=(0.5, 0.6), *, collapses=0, history=None, best=2, references=None):
        history = history or [make_record(epoch, f1=0.5) for epoch in range(6)]
        collapse = Collapse(rule="one_class", epoch=0, detail="")
        results = tuple(
            SimpleNamespace(f1=value, collapse=collapse if k < collapses else None, best_epoch=best)
            for k, value in enumerate(f1)
        )
        histories = tuple(tuple(history) for _ in f1)
        return Evidence("gcn", GRAPHS, results, (), histories, references or {})

    return make


def test_f1_is_enough_above_080(seen):
    assert is_f1_enough(seen((0.85, 0.83))).answer == "yes"
    low = is_f1_enough(seen((0.80, 0.80)))
    assert (low.answer, low.ailments) == ("no", {Ailment.LOW_F1})


def test_a_reference_that_is_as_good_is_named(seen):
    found = is_f1_enough(seen((0.5, 0.6), references={"logistic regression": 0.55}))
    assert Ailment.BELOW_REFERENCE in found.ailments
    assert "does not beat logistic regression" in found.lines[-1]
    better = is_f1_enough(seen((0.5, 0.6), references={"logistic regression": 0.5}))
    assert Ailment.BELOW_REFERENCE not in better.ailments


def test_without_predictions_f1_is_not_enough(seen):
    assert is_f1_enough(seen((None, None))).ailments == {Ailment.LOW_F1}


def test_time_is_linear_in_graphs_and_epochs(seen, make_record):
    history = [make_record(epoch, train_seconds=5.0, evaluation_seconds=1.0) for epoch in range(3)]
    quick = is_it_fast_enough(seen(history=history), 100, 10)
    assert (quick.answer, quick.ailments) == ("yes", frozenset())
    assert "extrapolated: 1.0 min" in quick.lines[1]
    long = is_it_fast_enough(seen(history=history), 100_000, 40)
    assert (long.answer, long.ailments) == ("no", {Ailment.SLOW})
    assert "extrapolated: 2.8 days" in long.lines[1]
    assert "extrapolated: 16.7 h" in is_it_fast_enough(seen(history=history), 100_000, 10).lines[1]


def test_the_largest_batch_that_fits_is_told():
    sizes = GraphSizes.of(GRAPHS)
    footprint = Footprint(fixed=0, per_node=1.0)
    memory = int(sizes.nodes(64)) + 1
    found = does_it_fit(sizes, footprint, memory)
    assert found.answer == "yes"
    assert "the largest power of two that fits is 64" in found.lines
    tight = does_it_fit(sizes, footprint, int(sizes.nodes(8)) + 1)
    assert (tight.answer, tight.ailments) == ("no", {Ailment.LARGE})
    assert "the largest power of two that fits is 8" in tight.lines
    assert "the largest power of two that fits is none" in does_it_fit(sizes, footprint, 1).lines


def test_collapses_are_counted_by_their_rule(seen):
    found = does_it_collapse(seen((0.5,) * 10, collapses=2))
    assert (found.answer, Ailment.COLLAPSES in found.ailments) == ("yes", True)
    assert "2 by the rule one_class" in found.lines
    none = does_it_collapse(seen((0.5,) * 10))
    assert none.answer == "no"
    assert "0 of 10 runs: probability below 25.9% with 95 % confidence" in none.lines


@pytest.mark.parametrize(
    ("f1", "loss", "best", "ailment"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5], [5, 4, 3, 2, 1], 4, Ailment.UNDERTRAINED),
        ([0.3, 0.36, 0.33, 0.31, 0.29], [5, 4, 3, 2, 1], 1, Ailment.OVERFITS),
        ([0.3, 0.5, 0.3, 0.5, 0.3], [5, 4, 3, 4, 5], 1, Ailment.UNSTEADY),
        ([0.3, 0.31, 0.32, 0.31, 0.31], [5, 4, 3, 3, 3], 2, None),
    ],
)
def test_histories_show_what_ails_a_run(seen, make_record, f1, loss, best, ailment):
    history = [
        make_record(epoch, f1=score, train_loss=value)
        for epoch, (score, value) in enumerate(zip(f1, loss, strict=True))
    ]
    found = does_it_collapse(seen(history=history, best=best))
    assert found.ailments == ({ailment} if ailment else frozenset())
