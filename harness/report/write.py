"""The files of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.files import write_json, write_whole
from harness.report.markdown import to_markdown
from harness.report.summary import Summary, summarise

if TYPE_CHECKING:
    from pathlib import Path

    from harness.matrix.judge import Judge


def write_report(judge: Judge, folder: Path) -> Summary:
    """Judge what is stored and write ``verdict.json`` and ``report.md``, each whole.

    Raises:
        StoreError: if a stored result is damaged.
        OSError: if the folder cannot be written.
    """
    summary = summarise(judge)
    write_json(folder / "verdict.json", summary.to_json())
    write_whole(folder / "report.md", to_markdown(summary).encode())
    return summary
