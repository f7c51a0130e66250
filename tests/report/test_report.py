"""A report says the verdict, every number behind it, and what must be read with care."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from harness.errors import ExitCode
from harness.gates.words import Verdict
from harness.report.console import show
from harness.report.markdown import to_markdown
from harness.report.rows import CELL_HEADERS, cell_rows


def _shown(summary, width=80):
    stream = io.StringIO()
    show(summary, Console(file=stream, width=width))
    return stream.getvalue()


def test_verdict_json_has_the_published_shape(make_summary):
    document = json.loads(json.dumps(make_summary().to_json(), allow_nan=False))
    assert document["schema"] == 1
    assert document["verdict"] == "INCONCLUSIVE"
    assert document["policy"] == "roadmap"
    cell = document["features"]["amp"]["cells"][0]
    assert {"model", "data", "hardware", "verdict", "gates"} <= set(cell)
    assert {"verdict", "n", "mean", "se", "lower", "upper", "lean", "more"} <= set(
        cell["gates"]["f1"]
    )
    assert cell["gates"]["time"]["verdict"] == "NOT_MEASURED"


def test_a_worse_feature_fails_with_exit_code_1(make_summary):
    summary = make_summary(gain=0, pairs=10)
    assert summary.verdict is Verdict.FAIL
    assert summary.exit_code is ExitCode.FAIL


@pytest.mark.parametrize("render", [_shown, to_markdown])
def test_text_reports_name_verdict_feature_references_and_notes(make_summary, render):
    text = render(make_summary())
    for part in ("amp", "gcn", "INCONCLUSIVE", "0.550", "defects are planted", "10 \\+ 10"):
        assert part.replace("\\", "") in text.replace("\\", "")
    assert "does not beat regression" in text


def test_the_table_fits_80_columns(make_summary):
    table = _shown(make_summary()).split("INCONCLUSIVE ")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert "…" not in table


def test_a_row_has_a_value_for_each_header(make_summary):
    rows = cell_rows(make_summary())
    assert all(len(row) == len(CELL_HEADERS) for row in rows)


def test_markdown_from_outside_is_inert(make_summary):
    text = to_markdown(make_summary(name="a|b<script>`x`", note="[x](javascript:alert)|"))
    assert "<script>" not in text
    assert "[x](" not in text
    rows = [line for line in text.splitlines() if "script" in line and line.startswith("|")]
    assert all(row.replace("\\|", "").count("|") in (6, 16) for row in rows)
