"""An encoder in one pass over tiles, where nobody would see its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from harness.models import fused, perceptron
from harness.models.convolutions import OnRows
from harness.models.fused import SumLayer
from harness.models.hooks import watched
from harness.models.perceptron import PerceptronLayer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.graphs.adjacency import Neighbours, Words
    from harness.models.activation import ReLUDropout

    Embeddings = tuple[nn.Embedding, nn.Embedding]

_WHOLE = (torch.float32, torch.float64)
_LEAST = 2  # nodes, of which a variance can be taken


def encode(
    embeddings: Embeddings, layers: Sequence[nn.Module], activation: ReLUDropout,
    rows: Neighbours | None,
) -> torch.Tensor | None:  # fmt: skip
    """Embed, take activated layers and pool a batch: ``[B, 2 H]``, or None where there is no way.

    The way is for layers of one kind, as wide as the embeddings, in full precision, that nobody
    watches. A node's state is the sum of its type's and its token's, and the first layer multiplies
    each word of the batch, of which there are fewer than of their pairs.

    Args:
        embeddings: ``[types, H]`` and ``[tokens, H]``.
        layers: of ``harness.models.convolutions``.
        activation: that follows each.
        rows: of the batch.
    """
    if rows is None or not _look_up(embeddings) or watched(activation):
        return None
    width = embeddings[0].weight.shape[1]
    whole = embeddings[0].weight.dtype in _WHOLE and not torch.is_autocast_enabled("cpu")
    fast = [layer for layer in layers if isinstance(layer, OnRows) and layer.serves(rows)]
    of_one_kind = len(fast) == len(layers) and len(set(map(type, fast))) == 1
    if not whole or not of_one_kind or watched(*(part for one in fast for part in one.modules())):
        return None
    tiled = [layer.tiled(width) for layer in fast]
    sums = [layer for layer in tiled if isinstance(layer, SumLayer)]
    networks = [layer for layer in tiled if isinstance(layer, PerceptronLayer)]
    few = len(rows.kinds.of_node) < _LEAST
    if len(layers) not in {len(sums), 0 if few else len(networks)}:
        return None
    way = fused.Way(rows, fast[0].aggregation(rows), tuple(activation.finish() for _ in layers))
    x = _of_words(embeddings, rows.kinds.words)
    return fused.encode(x, sums, way) if sums else perceptron.encode(x, networks, way)


def _look_up(embeddings: Embeddings) -> bool:
    """Whether embeddings give rows of their weights and do nothing else, unwatched."""
    return not watched(*embeddings) and all(
        type(one) is nn.Embedding
        and one.padding_idx is None
        and one.max_norm is None
        and not (one.scale_grad_by_freq or one.sparse)
        for one in embeddings
    )


def _of_words(embeddings: Embeddings, words: Words) -> torch.Tensor:
    """``[V, H]``, of the types and then the tokens."""
    of_type, of_token = embeddings
    types = of_type.weight.index_select(0, words.types)
    return torch.cat([types, of_token.weight.index_select(0, words.tokens)])
