"""The files of a report, and its text in each format."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from rich.console import Console

from harness.files import write_json, write_whole
from harness.report.console import show
from harness.report.formats import Format
from harness.report.junit import to_junit
from harness.report.markdown import to_markdown
from harness.report.summary import Summary, summarise

if TYPE_CHECKING:
    from pathlib import Path

    from harness.graphs.sources import Progress
    from harness.matrix.judge import Judge

FILES = ("report.md", "report.html", "verdict.json")
_WIDTH = 120


def write_report(judge: Judge, folder: Path, progress: Progress | None = None) -> Summary:
    """Judge what is stored and write ``FILES``, each whole; ``progress`` is that of `summarise`.

    Raises:
        StoreError: if a stored result is damaged.
        OSError: if the folder cannot be written.
    """
    summary = summarise(judge, progress)
    write_json(folder / "verdict.json", summary.to_json())
    write_whole(folder / "report.md", to_markdown(summary).encode())
    write_whole(folder / "report.html", to_text(judge, summary, Format.HTML).encode())
    return summary


def to_text(judge: Judge, summary: Summary, form: Format) -> str:
    """The report in a format, to be printed or written; ends with a line feed.

    Args:
        judge: of the store that was summarised; the page reads histories and predictions.
        summary: the verdicts.
        form: the format; that of the console is plain text of 120 columns here.

    Raises:
        StoreError: if a stored result is damaged.
    """
    match form:
        case Format.CONSOLE:
            stream = io.StringIO()
            show(summary, Console(file=stream, width=_WIDTH))
            return stream.getvalue()
        case Format.MARKDOWN:
            return to_markdown(summary)
        case Format.HTML:
            from harness.report.html.page import to_html  # noqa: PLC0415 - 5 MB of plotly

            return to_html(judge, summary)
        case Format.JUNIT:
            return to_junit(summary)
        case Format.JSON:
            return json.dumps(summary.to_json(), indent=1, allow_nan=False) + "\n"
        case Format.DATAFRAME | Format.TENSORBOARD:
            raise ValueError(f"{form} is no report")
