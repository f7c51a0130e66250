"""The charts of the page: plotly figures of plain data, each with the table that says the same.

Every text that plotly shows is escaped first, since it reads markup in labels. Figures are written
as the data that plotly's script reads: its Python classes check every property of every chart,
which took a third of a large page's time, and the tests put the charts through them instead.

Source: plotly's figure reference, https://plotly.com/python/reference/.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

from harness.gates.words import Verdict
from harness.report.rows import said

if TYPE_CHECKING:
    from collections.abc import Sequence

GREY: Final = "#8a93a3"
ACCENTS: Final = ("#8a93a3", "#3b82d6", "#c98a1b", "#9a6ad6")
"""Colours of arms, readable on light and on dark ground: the reference first."""
LIMIT: Final = "#e0653a"
COLOURS: Final = {
    Verdict.PASS: "#2a9d62", Verdict.FAIL: "#d9534f", Verdict.INCONCLUSIVE: "#c98a1b",
    Verdict.NOT_MEASURED: GREY,
}  # fmt: skip
SYMBOLS: Final = {
    Verdict.PASS: "circle", Verdict.FAIL: "x", Verdict.INCONCLUSIVE: "diamond",
    Verdict.NOT_MEASURED: "circle-open",
}  # fmt: skip
_ROW: Final = 38
_TALL: Final = 330
_FONT: Final = 12
_DIGITS: Final = 4
_EACH_LOOK: Final = 10
"""Pairs up to which each has its tick."""

_Json = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table of plain texts.

    Attributes:
        caption: what it shows.
        headers: of its columns.
        rows: the first text of each names it.
    """

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """A chart and the table behind it.

    Attributes:
        title: above it.
        label: what it shows, in a sentence for who does not see it.
        figure: plotly's data and layout, as JSON in which no markup can stand.
        height: pixels.
        table: the same numbers.
    """

    title: str
    label: str
    figure: str
    height: int
    table: Table


@dataclass(frozen=True)
class Interval:
    """One row of a forest plot.

    Attributes:
        name: of the row.
        verdict: of the gate.
        mean: estimate.
        low: lower bound; None where it is not known yet.
        high: upper bound, likewise.
        limit: what the gate holds the bounds against.
    """

    name: str
    verdict: Verdict
    mean: float
    low: float | None
    high: float | None
    limit: float


def forest(
    title: str, axis: str, rows: Sequence[Interval], table: Table, *, zero: float, digits: int
) -> Chart:
    """Estimates with both bounds, one row each, against the line of what is wanted.

    Args:
        title: of the chart.
        axis: what is measured, with its unit.
        rows: at least one.
        table: what stands behind it.
        zero: where nothing changes.
        digits: after the point.
    """
    places = list(range(len(rows)))[::-1]
    traces = []
    for verdict in dict.fromkeys(row.verdict for row in rows):
        ours = [(place, row) for place, row in zip(places, rows, strict=True)
                if row.verdict is verdict]  # fmt: skip
        traces.append(
            {
                "type": "scatter",
                "x": [row.mean for _, row in ours],
                "y": [place for place, _ in ours],
                "mode": "markers",
                "name": said(verdict),
                "marker": {"color": COLOURS[verdict], "symbol": SYMBOLS[verdict], "size": 10},
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "thickness": 2,
                    "width": 5,
                    "array": [0 if row.high is None else row.high - row.mean for _, row in ours],
                    "arrayminus": [0 if row.low is None else row.mean - row.low for _, row in ours],
                },
                "text": [_interval(row, digits) for _, row in ours],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    for limit in dict.fromkeys(row.limit for row in rows):
        at = [place for place, row in zip(places, rows, strict=True) if row.limit == limit]
        traces.append(
            {
                "type": "scatter",
                "x": [limit, limit],
                "y": [min(at) - 0.5, max(at) + 0.5],
                "mode": "lines",
                "name": f"limit {limit:.{digits}f}",
                "hoverinfo": "skip",
                "line": {"color": LIMIT, "width": 2, "dash": "dash"},
            }
        )
    names = [
        {
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "y": place,
            "yshift": 13,
            "yanchor": "middle",
            "text": escape(row.name),
            "showarrow": False,
            "font": {"size": _FONT},
        }
        for place, row in zip(places, rows, strict=True)
    ]
    nothing = {
        "type": "line", "x0": zero, "x1": zero, "xref": "x", "y0": 0, "y1": 1, "yref": "y domain",
        "line": {"color": GREY, "width": 1},
    }  # fmt: skip
    layout = {
        "annotations": names,
        "shapes": [nothing],
        "xaxis": {"title": {"text": axis}, "zeroline": False},
        "yaxis": {"visible": False, "range": [-0.7, len(rows) - 0.2]},
        "margin": {"l": 14, "r": 14, "t": 8, "b": 44},
    }
    height = 110 + _ROW * len(rows)
    label = f"{title}: {len(rows)} rows; the table below has the numbers."
    return _chart(title, label, traces, layout, height, table)


def course(looks: Sequence[Sequence[float | None]], limit: float, table: Table) -> Chart:
    """The sequential path of a cell.

    Args:
        looks: n, mean, lower and upper bound of each look, in points.
        limit: the margin, in points.
        table: what stands behind it.
    """
    n, mean, low, high = (list(values) for values in zip(*looks, strict=True))
    traces = [
        _line(n, high, "at most", GREY, dash="dot", markers=True),
        _line(n, low, "at least", GREY, dash="dot", markers=True),
        _line(n, mean, "mean", ACCENTS[1], markers=True),
    ]
    margin = {
        "type": "line", "x0": 0, "x1": 1, "xref": "x domain", "y0": limit, "y1": limit, "yref": "y",
        "line": {"color": LIMIT, "width": 2, "dash": "dash"},
    }  # fmt: skip
    layout = {
        "shapes": [margin],
        "xaxis": {"title": {"text": "pairs"}, "dtick": 1 if len(looks) <= _EACH_LOOK else 2},
        "yaxis": {"title": {"text": "points of F1"}},
    }
    label = f"Mean and bounds of the F1 difference after 1 to {len(looks)} pairs."
    return _chart("Sequential path", label, traces, layout, _TALL, table)


def curves(arms: Sequence[tuple[str, Any, Any]], table: Table) -> Chart:
    """F1 on *select* and training loss by epoch: mean and band of each arm.

    Args:
        arms: name, band of F1 and band of loss of each.
        table: what stands behind it.
    """
    traces: list[_Json] = []
    for (name, f1, loss), colour in zip(arms, ACCENTS, strict=False):
        for band, axis in ((f1, "y"), (loss, "y2")):
            epochs = list(range(1, len(band.mean) + 1))
            known = [at for at, value in enumerate(band.mean) if value is not None]
            traces.append(
                {
                    "type": "scatter",
                    "x": [epochs[at] for at in (*known, *reversed(known))],
                    "y": [
                        *(band.high[at] for at in known), *(band.low[at] for at in reversed(known))
                    ],
                    "yaxis": axis,
                    "mode": "lines",
                    "line": {"width": 0},
                    "fill": "toself",
                    "fillcolor": _faint(colour),
                    "showlegend": False,
                    "hoverinfo": "skip",
                }
            )  # fmt: skip
            line = _line(epochs, band.mean, name, colour)
            traces.append({**line, "yaxis": axis, "showlegend": axis == "y"})
    layout = {
        "xaxis": {"title": {"text": "epoch"}, "anchor": "y2"},
        "yaxis": {"domain": [0.4, 1], "title": {"text": "F1, select"}},
        "yaxis2": {"domain": [0, 0.32], "title": {"text": "loss"}, "anchor": "x", "nticks": 4},
    }
    label = "F1 on select and training loss by epoch, mean and extremes over the runs of each arm."
    return _chart("Learning curves", label, traces, layout, _TALL, table)


def predictions(
    arms: Sequence[tuple[str, Sequence[float], Sequence[float]]], table: Table
) -> Chart:
    """How the gate graphs of each class spread over predicted probability.

    Args:
        arms: name, and shares by bin of the safe and of the vulnerable graphs, in percent.
        table: what stands behind it.
    """
    traces = []
    for (name, *classes), colour in zip(arms, ACCENTS, strict=False):
        for shares, word, dash in zip(
            classes, ("safe", "vulnerable"), ("dot", "solid"), strict=True
        ):
            edges = [(place + 0.5) / len(shares) for place in range(len(shares))]
            line = _line(edges, shares, f"{name}: {word}", colour, dash=dash)
            line["line"]["shape"] = "hvh"
            traces.append(line)
    layout = {
        "xaxis": {"title": {"text": "predicted probability of vulnerable"}, "range": [0, 1]},
        "yaxis": {"title": {"text": "% of the class"}, "rangemode": "tozero"},
    }
    label = "Share of the safe and of the vulnerable gate graphs by predicted probability."
    return _chart("Predictions on gate", label, traces, layout, _TALL, table)


def sizes(
    arms: Sequence[tuple[str, Sequence[tuple[str, float]]]], ticks: Sequence[str], table: Table
) -> Chart:
    """F1 by fifths of graph size.

    Args:
        arms: name, and of each fifth its nodes in words and F1.
        ticks: nodes of each fifth.
        table: what stands behind it.
    """
    traces = [
        {
            "type": "bar",
            "x": list(range(len(found))),
            "y": [f1 for _, f1 in found],
            "name": escape(name),
            "marker": {"color": colour},
            "hovertemplate": "%{text}: %{y:.3f}<extra></extra>",
            "text": [escape(words) for words, _ in found],
            "textposition": "none",
        }
        for (name, found), colour in zip(arms, ACCENTS, strict=False)
    ]
    layout = {
        "xaxis": {
            "title": {"text": "nodes"},
            "tickvals": list(range(len(ticks))),
            "ticktext": [escape(one) for one in ticks],
        },
        "yaxis": {"title": {"text": "F1"}, "rangemode": "tozero"},
    }
    label = "F1 on gate by fifths of graph size, of each arm."
    return _chart("Failure by graph size", label, traces, layout, _TALL, table)


def _line(
    x: Sequence[Any], y: Sequence[Any], name: str, colour: str, *, dash: str = "solid",
    markers: bool = False,
) -> _Json:  # fmt: skip
    return {
        "type": "scatter",
        "x": list(x),
        "y": list(y),
        "name": escape(name),
        "mode": "lines+markers" if markers else "lines",
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"size": 5},
        "hovertemplate": "%{x:.4~g}: %{y:.4~g}<extra>%{fullData.name}</extra>",
    }


def _interval(row: Interval, digits: int) -> str:
    low, high = (
        "an unknown bound" if one is None else f"{one:.{digits}f}" for one in (row.low, row.high)
    )
    return f"{escape(row.name)}: {row.mean:.{digits}f}, from {low} to {high}; {said(row.verdict)}"


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _chart(
    title: str, label: str, traces: Sequence[_Json], layout: _Json, height: int, table: Table
) -> Chart:
    figure = _short({"data": list(traces), "layout": layout})
    text = json.dumps(figure, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Chart(title, label, text, height, table)


def _short(value: Any) -> Any:
    """JSON data with numbers of as many digits as a chart can show."""
    if isinstance(value, dict):
        return {name: _short(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_short(one) for one in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
