"""Charts are data that plotly knows; plotly's own classes check every property of each."""

from __future__ import annotations

import json

import plotly.graph_objects as go
import pytest

from harness.gates.words import Verdict
from harness.report.html import charts
from harness.report.html.arms import Band
from harness.report.html.charts import Chart, Interval, Table

TABLE = Table("what", ("name", "value"), (("one", "1"),))
NAMES = ("the <b>baseline</b>", "with a & b", "with a alone", "with b alone")
BAND = Band([0.1, None, 0.3], [0.05, None, 0.2], [0.15, None, 0.4])


def all_forms() -> dict[str, Chart]:
    rows = [
        Interval(f"<i>{word}</i>", word, 1.0, low, high, 2.0 - place)
        for place, (word, low, high) in enumerate(
            zip(Verdict, (None, 0.5, 0.5, None), (1.5, None, 1.5, None), strict=True)
        )
    ]
    looks = [(1, 0.1, None, None), (2, 0.2, None, None), (3, 0.2, None, 0.5), (4, 0.2, 0.1, 0.3)]
    bins = [float(place) for place in range(20)]
    return {
        "forest": charts.forest("Gains", "points", rows, TABLE, zero=0, digits=1),
        "course": charts.course(looks, 2.0, TABLE),
        "curves": charts.curves([(name, BAND, BAND) for name in NAMES], TABLE),
        "predictions": charts.predictions([(name, bins, bins) for name in NAMES], TABLE),
        "sizes": charts.sizes(
            [(name, [("graphs of <1", 0.5), ("the rest", 0.25)]) for name in NAMES],
            ["<1", "2"], TABLE,
        ),
    }  # fmt: skip


FORMS = all_forms()


@pytest.mark.parametrize("form", FORMS)
def test_plotly_knows_every_property_and_changes_none(form: str):
    plain = json.loads(FORMS[form].figure)
    # A wrong name or value is an error of these classes.
    figure = go.Figure(data=plain["data"], layout={"template": {}, **plain["layout"]})
    again = json.loads(figure.to_json())
    del again["layout"]["template"]
    assert again == plain


@pytest.mark.parametrize("form", FORMS)
def test_no_markup_stands_in_a_chart_and_plotly_shows_none(form: str):
    text = FORMS[form].figure
    assert not set("<>&\u2028\u2029") & set(text)
    own = {"%{text}<extra></extra>", "%{text}: %{y:.3f}<extra></extra>",
           "%{x:.4~g}: %{y:.4~g}<extra>%{fullData.name}</extra>"}  # fmt: skip
    assert {one for one in texts(json.loads(text)) if "<" in one} <= own


def texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []


def test_a_misspelt_property_would_be_found():
    with pytest.raises(ValueError, match="colour"):
        go.Figure(data=[{"type": "scatter", "colour": "red"}])
