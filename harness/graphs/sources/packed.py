"""A data set that is packed already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field

from harness.graphs.dataset import open_folder, verify
from harness.graphs.sources.base import Progress, Source, register_source

if TYPE_CHECKING:
    from harness.graphs.dataset import PackedGraphs


@register_source
class Packed(Source):
    """A folder with an ``info.json`` and arrays, as the harness stores data sets.

    It is opened where it is, memory-mapped, after its hash has been checked.
    """

    name: ClassVar[str] = "packed"
    cached: ClassVar[bool] = False

    path: Path = Field(description="the folder")

    @classmethod
    def detect(cls, path: Path) -> Self | None:
        """A folder that holds an ``info.json``."""
        return cls(path=path) if (path / "info.json").is_file() else None

    def key(self) -> str:
        """Hash of the stored arrays."""
        return open_folder(self.path).content[:16]

    def build(self, progress: Progress) -> PackedGraphs:
        """Open the folder and check every stored byte."""
        progress(0, 1, "data sets")
        graphs = open_folder(self.path)
        verify(graphs, self.path)
        progress(1, 1, "data sets")
        return graphs
