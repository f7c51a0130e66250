"""What each shape adds to console, Markdown and JSON."""

from __future__ import annotations

import dataclasses
import io
import json

import numpy as np
import pytest
from rich.console import Console

from harness.gates.f1 import Predictions
from harness.gates.f1_gate import Evidence, judge_f1
from harness.gates.interaction import CONFIDENCE, Four, measure_interaction
from harness.matrix.shapes import Shape, Uncombined
from harness.report.console import show
from harness.report.markdown import to_markdown
from harness.report.rows import CELL_HEADERS, cell_headers
from harness.report.shapes import INTERACTION_HEADERS, READING, interaction_rows, loss

REASON = "features 'a' and 'b' both own the slot 'scheduler'"


def shown(summary, width=80):
    stream = io.StringIO()
    show(summary, Console(file=stream, width=width))
    return stream.getvalue()


def plain(text):
    """Without Markdown's escapes and without line breaks of a narrow terminal."""
    return " ".join(text.replace("\\", "").split())


@pytest.fixture
def of_shape(make_summary):
    """A report of another shape: ``of_shape("pairs", gain=5)``."""

    def make(shape, *, uncombined=(), **more):
        summary = make_summary(**more)
        (one,) = summary.features
        interactions = ()
        changed = {}
        if shape == "pairs":
            fours = [_four(seed) for seed in range(4)]
            interactions = (measure_interaction(fours, ("amp", "swa"), [9]),)
            changed = {"parts": ("amp", "swa"), "name": "amp+swa"}
        if shape == "drop-one":
            changed = {"reference": "all without it"}
        planned = one.planned.model_copy(update=changed)
        plan = summary.plan.model_copy(
            update={
                "shape": Shape(shape), "features": (planned,),
                "uncombined": tuple(Uncombined(name=name, why=REASON) for name in uncombined),
            }
        )  # fmt: skip
        feature = dataclasses.replace(one, planned=planned, interactions=interactions)
        return dataclasses.replace(summary, plan=plan, features=(feature,))

    return make


def _four(seed):
    index = np.arange(40)
    rows = (((index + seed) % 3 > arm % 2).astype(int) for arm in range(4))
    return Four(seed, *(Predictions(index, index % 2, row, index) for row in rows))


def test_add_one_reads_as_it_did(make_summary):
    summary = make_summary()
    document = summary.to_json()
    assert (document["schema"], document["shape"], document["uncombined"]) == (1, "add-one", [])
    feature = document["features"]["amp"]
    assert feature["interactions"] == feature["lost"] == feature["parts"] == []
    assert cell_headers(Shape.ADD_ONE) == CELL_HEADERS
    for text in (shown(summary), to_markdown(summary)):
        assert "What the baseline is worth" in text
        assert "nteraction" not in text
        assert "lost" not in text


@pytest.mark.parametrize("render", [shown, to_markdown])
def test_pairs_say_their_interaction_and_how_to_read_it(of_shape, render):
    summary = of_shape("pairs", uncombined=["swa+planted_schedule"])
    text = plain(render(summary))
    (found,) = summary.features[0].interactions
    assert found.sentence in text
    assert "seeds 9" in text
    assert READING in text
    assert f"swa+planted_schedule cannot be combined: {REASON}" in text
    assert "a fixed design of 10 + 10 + 10 + 10 runs a cell takes 40" in text


def test_pairs_in_json_have_every_number_of_the_interaction(of_shape):
    summary = of_shape("pairs", uncombined=["swa+planted_schedule"])
    document = json.loads(json.dumps(summary.to_json(), allow_nan=False))
    assert document["schema"] == 1
    assert document["shape"] == "pairs"
    assert document["uncombined"] == [{"name": "swa+planted_schedule", "why": REASON}]
    feature = document["features"]["amp+swa"]
    assert feature["parts"] == ["amp", "swa"]
    (shown_one,) = feature["interactions"]
    (found,) = summary.features[0].interactions
    assert (shown_one["model"], shown_one["hardware"]) == ("gcn", "cpu-test-1t")
    assert shown_one["mean"] == pytest.approx(found.estimate.mean)
    assert (shown_one["lower"], shown_one["upper"]) == found.bounds
    assert shown_one["confidence"] == CONFIDENCE
    (row,) = interaction_rows(summary)
    assert len(row) == len(INTERACTION_HEADERS)
    assert row[8] == f"{100 * found.estimate.mean:+.1f}"


@pytest.mark.parametrize("render", [shown, to_markdown])
def test_drop_one_says_what_is_lost(of_shape, render):
    summary = of_shape("drop-one")
    said = summary.features[0].verdict.cells[0].f1.decision
    text = plain(render(summary))
    wanted = f"without it {100 * said.mean:.1f} points of F1 are lost, from {100 * said.lower:+.1f}"
    assert wanted in text
    assert "What the full arm is worth" in text
    assert "full arm" in text
    assert "baseline F1" not in text
    (lost,) = summary.to_json()["features"]["amp"]["lost"]
    assert lost["mean"] == said.mean
    assert lost["lower"] == said.lower
    assert lost["sentence"].startswith("without it ")


@pytest.mark.parametrize("shape", list(Shape))
def test_tables_fit_80_columns_in_every_shape(of_shape, shape):
    table = shown(of_shape(shape)).split("INCONCLUSIVE ")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert "…" not in table


@pytest.mark.parametrize(
    ("differences", "said"),
    [
        ((0.03, 0.031, 0.03, 0.029, 0.03), "without it 3.0 points of F1 are lost, from +2.9 to"),
        ((-0.03, -0.031, -0.03), "without it 3.0 points of F1 are won, from +2.8 to an unknown"),
        ((0.03, 0.031, 0.03), "without it 3.0 points of F1 are lost, from an unknown bound to"),
        ((0.03,), "without it 3.0 points of F1 are lost, from an unknown bound to an unknown"),
        ((), "no pair to judge yet"),
    ],
)
def test_a_loss_that_is_a_gain_is_said_as_one(differences, said):
    result = judge_f1(Evidence(tuple(range(len(differences))), differences), margin=0.02)
    assert loss(result, "without it").startswith(said)


def test_a_feature_without_any_effect_loses_nothing():
    seen = Evidence((0, 1, 2), (0.0,) * 3, floor=0.001, identical=(True,) * 3)
    said = loss(judge_f1(seen, margin=0.02), "without them")
    assert said == "without them nothing changes, every prediction is the same"
