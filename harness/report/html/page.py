"""The whole page: verdicts first, then every number behind them, in one file that loads nothing."""

from __future__ import annotations

import base64
import gzip
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from harness.errors import UsageError
from harness.gates.words import Verdict
from harness.matrix.shapes import Shape
from harness.report.html.arms import Arms
from harness.report.html.cards import cards_of
from harness.report.html.details import candidate_view, drawn_cells
from harness.report.html.overview import collapses, f1_forest, hardware_grid, time_forest
from harness.report.html.tables import further, preamble, provenance, worth
from harness.report.rows import said, warnings_of
from harness.report.shapes import uncombined_lines
from harness.selection import parse

if TYPE_CHECKING:
    from harness.matrix.judge import Judge
    from harness.report.summary import Summary

_FOLDER: Final = Path(__file__).parent
_SECTIONS: Final = {
    "verdicts": "Verdicts", "f1": "F1 differences", "time": "Training time",
    "collapses": "Collapses", "hardware": "Hardware", "candidates": "Each candidate",
    "worth": "Baseline", "cards": "Feature cards", "provenance": "Where this comes from",
}  # fmt: skip


def to_html(judge: Judge, summary: Summary) -> str:
    """The report as one HTML file that opens offline.

    Names, notes and cards come from outside: the template escapes every text, charts are JSON
    without a sign of markup, and the page's own policy lets no script run but its two. The same
    store gives the same bytes.

    Args:
        judge: of the store that was summarised, for histories and predictions.
        summary: the verdicts.

    Raises:
        StoreError: if a stored result is damaged.
    """
    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True,
    )  # fmt: skip
    plotly, script = get_plotlyjs(), (_FOLDER / "script.js").read_text("utf-8")
    names = _names(summary)
    cards = cards_of(names)
    drawn, arms = drawn_cells(summary), Arms(judge)
    found = environment.get_template("page.html.j2").render(
        policy=_policy(plotly, script),
        style=(_FOLDER / "style.css").read_text("utf-8"),
        # A third of its size: the page stays small, and is there before plotly is.
        plotly=base64.b64encode(gzip.compress(plotly.encode(), mtime=0)).decode(),
        script=script,
        sections=_sections(summary),
        words=("not run", *map(said, Verdict)),
        verdict=said(summary.verdict),
        preamble=preamble(summary),
        features=[candidate_view(arms, summary, one, drawn) for one in summary.features],
        undrawn=_undrawn(summary, len(drawn)),
        uncombined=uncombined_lines(summary),
        unmeasured=_unmeasured(summary),
        f1=f1_forest(summary),
        time=time_forest(summary),
        collapses=collapses(summary),
        hardware=hardware_grid(summary),
        worth=worth(summary),
        further=further(summary),
        cards=cards,
        cardless=[name for name in names if name not in cards],
        care=warnings_of(summary),
        provenance=provenance(summary),
    )
    return found + "\n"


def _names(summary: Summary) -> list[str]:
    """Every feature that takes part, without values; one that no selection can name as it is."""
    found: dict[str, None] = {}
    for text in (*(one.planned.name for one in summary.features), *summary.plan.baseline):
        try:
            found |= dict.fromkeys(one.name for one in parse(text))
        except UsageError:
            found[text] = None
    return list(found)


def _policy(*scripts: str) -> str:
    """A content security policy under which these scripts run, and nothing is loaded.

    plotly writes style sheets of its own, and draws a chart that is saved through data URLs.
    """
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'"
        for one in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _sections(summary: Summary) -> list[tuple[str, str]]:
    found = dict(_SECTIONS)
    if summary.plan.shape is Shape.DROP_ONE:
        found["worth"] = "Full arm"
    return list(found.items())


def _undrawn(summary: Summary, drawn: int) -> str:
    cells = [cell for one in summary.features for cell in one.verdict.cells]
    run = sum(cell.verdict is not Verdict.NOT_MEASURED for cell in cells)
    if run == drawn:
        return ""
    return (
        f"Charts are drawn for {drawn} of {run} cells: those that pass or are open, then those "
        "that fail, in the order of the plan. ablate report --format dataframe has every run."
    )


def _unmeasured(summary: Summary) -> str:
    cells = [cell for one in summary.features for cell in one.verdict.cells]
    left = sum(cell.verdict is Verdict.NOT_MEASURED for cell in cells)
    return f"{left} of {len(cells)} cells were not run." if left else ""
