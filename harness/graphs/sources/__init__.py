"""Data sources: one file per format or origin."""

from harness.graphs.sources import (
    code_folder,
    devign,
    inverted_guard,
    packed,
    streamguard,
    sven,
)
from harness.graphs.sources.base import (
    SOURCES,
    Progress,
    Source,
    make_source,
    register_source,
    silent,
)

__all__ = [
    "SOURCES",
    "Progress",
    "Source",
    "code_folder",
    "devign",
    "inverted_guard",
    "make_source",
    "packed",
    "register_source",
    "silent",
    "streamguard",
    "sven",
]
