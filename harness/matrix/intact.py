"""Packed data sets whose every byte is the one that was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.graphs.dataset import check_content, open_folder

if TYPE_CHECKING:
    from pathlib import Path

    from harness.graphs.dataset import PackedGraphs


def open_intact(folder: Path) -> PackedGraphs:
    """Open a stored data set and hold its bytes against its hash.

    Raises:
        DataError: if a file is missing or damaged.
    """
    graphs = open_folder(folder)
    check_content(graphs, folder)
    return graphs
