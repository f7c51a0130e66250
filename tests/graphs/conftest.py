from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.graphs.dataset import DatasetInfo, PackedGraphs
from harness.graphs.sources import SOURCES

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def real(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the real data set {name} is not beside the checkout")
    return path


@pytest.fixture
def reveal() -> Path:
    return real("reveal_chrome")


@pytest.fixture
def sven_file() -> Path:
    return real("sven") / "sven.json.xz"


@pytest.fixture
def own_sources(monkeypatch):
    """Takes the sources that a test registers out of the registry again."""
    for name, value in vars(SOURCES).items():
        if isinstance(value, dict):
            monkeypatch.setattr(SOURCES, name, dict(value))


@pytest.fixture
def make_graphs():
    """Random packed graphs, some of one node and without edges."""

    def make(
        count: int = 40, seed: int = 0, *, symmetric: bool = True, extras: bool = True
    ) -> PackedGraphs:
        random = np.random.default_rng(seed)
        nodes = random.integers(1, 12, count)
        edges = np.where(nodes > 1, random.integers(0, 20, count), 0)
        owner = np.repeat(nodes, edges)
        ends = (random.random((2, len(owner))) * owner).astype(np.uint8)
        return PackedGraphs(
            info=DatasetInfo(
                name="random",
                source="random",
                num_types=9,
                num_tokens=300,
                symmetric=symmetric,
                counts={"read": count, "kept": count},
                tags={"language": ("c", "python")} if extras else {},
            ),
            node_type=random.integers(0, 9, nodes.sum()).astype(np.uint8),
            node_token=random.integers(0, 300, nodes.sum()).astype(np.uint16),
            edge_source=ends[0],
            edge_target=ends[1],
            node_ptr=np.concatenate([[0], np.cumsum(nodes)]),
            edge_ptr=np.concatenate([[0], np.cumsum(edges)]),
            label=(random.random(count) < 0.3).astype(np.int8),
            group=random.integers(0, max(count // 2, 1), count).astype(np.int32),
            weight=random.random(count).astype(np.float32) if extras else None,
            graph_features=random.random((count, 3)).astype(np.float32) if extras else None,
            tags={"language": random.integers(0, 2, count).astype(np.int32)} if extras else {},
        )

    return make
