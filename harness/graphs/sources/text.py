"""What the sources that read functions' text have in common: options, and how they pack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from harness.graphs.build import Sample, pack
from harness.graphs.sources.base import PARSERS, Limit, NumTokens, Source, installed

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    from harness.graphs.dataset import PackedGraphs


class TextSource(Source):
    """A source that reads functions from a file or folder."""

    path: Path = Field(description="the file or folder")
    num_tokens: NumTokens = 1024
    max_nodes: int = Field(10_000, ge=1, le=1 << 20, description="larger graphs are left out")
    limit: Limit = 0
    strict: bool = Field(
        default=False, description="stop at the first broken entry instead of counting broken ones"
    )

    def packed(
        self,
        samples: Iterable[Sample],
        counts: Counter[str],
        *,
        num_types: int,
        symmetric: bool = True,
        parsers: tuple[str, ...] = PARSERS,
    ) -> PackedGraphs:
        """Pack samples as the options say; arguments are those of ``pack`` and ``DatasetInfo``."""
        info = self.info(
            num_types=num_types,
            num_tokens=self.num_tokens,
            symmetric=symmetric,
            versions=installed(parsers),
        )
        return pack(samples, info, counts, max_nodes=self.max_nodes, limit=self.limit)
