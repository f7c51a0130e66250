"""Small graph data with a known answer, made in milliseconds."""

from __future__ import annotations

import numpy as np

from harness.graphs.dataset import DatasetInfo, PackedGraphs, content_hash

NUM_TYPES = 12
NUM_TOKENS = 32
_MARK, _PARTNER = 3, 7


def planted_graphs(
    count: int = 64, seed: int = 0, *, positive: float = 0.3, noise: float = 0.05
) -> PackedGraphs:
    """Random trees; in the vulnerable ones a node of one type is the child of a certain other.

    Safe graphs hold both types as well, but apart: bags of node types do not tell them from
    vulnerable ones, neighbours do.

    Args:
        count: number of graphs.
        seed: of their content.
        positive: share that is vulnerable.
        noise: share of labels that is wrong.
    """
    random = np.random.default_rng(seed)
    size = random.integers(8, 24, count)
    label = (np.arange(count) < round(positive * count)).astype(np.int8)
    random.shuffle(label)
    types, sources, targets = [], [], []
    for nodes, vulnerable in zip(size, label, strict=True):
        kind = random.choice([t for t in range(1, NUM_TYPES) if t not in (_MARK, _PARTNER)], nodes)
        child = np.arange(1, nodes)
        parent = (random.random(nodes - 1) * child).astype(np.int64)
        at = int(random.integers(1, nodes))
        kind[at] = _MARK
        mother = parent[at - 1]
        near = {mother, at, *(child[parent == at])}
        far = [node for node in range(nodes) if node not in near]
        kind[mother if vulnerable or not far else random.choice(far)] = _PARTNER
        types.append(kind)
        sources.append(parent)
        targets.append(child)
    flipped = random.random(count) < noise
    edges = size - 1
    graphs = PackedGraphs(
        info=DatasetInfo(
            name="planted", source=f"planted[count={count},seed={seed}]", num_types=NUM_TYPES,
            num_tokens=NUM_TOKENS, symmetric=True, notes=("The defects are planted.",),
        ),
        node_type=np.concatenate(types).astype(np.uint8),
        node_token=random.integers(0, NUM_TOKENS, int(size.sum())).astype(np.uint8),
        edge_source=np.concatenate(sources).astype(np.uint16),
        edge_target=np.concatenate(targets).astype(np.uint16),
        node_ptr=np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
        edge_ptr=np.concatenate([[0], np.cumsum(edges)]).astype(np.int64),
        label=np.where(flipped, 1 - label, label).astype(np.int8),
        group=np.arange(count, dtype=np.int32),
    )  # fmt: skip
    info = graphs.info.model_copy(update={"content": content_hash(graphs)})
    return PackedGraphs(**{**vars(graphs), "info": info})
