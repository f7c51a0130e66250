"""The formats of a report, by name; imports nothing, since the command line lists them."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """Formats of a report."""

    CONSOLE = "console"
    MARKDOWN = "markdown"
    HTML = "html"
    JUNIT = "junit"
    JSON = "json"
    DATAFRAME = "dataframe"
    TENSORBOARD = "tensorboard"


class Per(StrEnum):
    """What a row of a frame is."""

    TRIAL = "trial"
    EPOCH = "epoch"
