"""A layer with what stands around it, in one pass over tiles where nobody would see the parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

import torch
from torch import nn

from harness.models.convolutions import OnRows
from harness.models.hooks import watched

if TYPE_CHECKING:
    from harness.graphs.adjacency import Neighbours, Words
    from harness.models.activation import ReLUDropout

    Embeddings = tuple[nn.Embedding, nn.Embedding]

_WHOLE = (torch.float32, torch.float64)


def activated(
    layer: nn.Module, activation: ReLUDropout, x: torch.Tensor, edge_index: torch.Tensor,
    rows: Neighbours | None,
) -> torch.Tensor:  # fmt: skip
    """``activation(layer(x, edge_index, rows))``: ``[N, I]`` -> ``[N, H]``."""
    if rows is not None and _can_fuse(layer, activation, rows, x.dtype):
        found = layer.in_one_pass(activation, x, rows, None)
        if found is not None:
            return found
    out: torch.Tensor = activation(layer(x, edge_index, rows))
    return out


def embedded(
    embeddings: Embeddings, layer: nn.Module, activation: ReLUDropout, x: torch.Tensor,
    edge_index: torch.Tensor, rows: Neighbours | None,
) -> torch.Tensor:  # fmt: skip
    """The first layer, activated, of the embedding of nodes: ``[N, 2]`` -> ``[N, H]``.

    A node's state is the sum of its type's and its token's. In one pass a layer multiplies each
    word of the batch, of which there are fewer than of their pairs; or else each kind of node.

    Args:
        embeddings: ``[types, I]`` and ``[tokens, I]``.
        layer: of ``harness.models.convolutions``.
        activation: that follows it.
        x: type and token of each node.
        edge_index: ``[2, E]``.
        rows: of the batch, or None.
    """
    dtype = embeddings[0].weight.dtype
    if rows is not None and _look_up(embeddings) and _can_fuse(layer, activation, rows, dtype):
        states = _of_words(embeddings, rows.kinds.words)
        found = layer.in_one_pass(activation, states, rows, rows.kinds)
        if found is not None:
            return found
    kinds = None if rows is None else rows.kinds
    of_type, of_token = embeddings
    ids = x if kinds is None else kinds.x
    states = of_type(ids[:, 0]) + of_token(ids[:, 1])
    out: torch.Tensor = activation(layer(states, edge_index, rows, kinds))
    return out


def _can_fuse(
    layer: nn.Module, activation: ReLUDropout, rows: Neighbours, dtype: torch.dtype
) -> TypeGuard[OnRows]:
    """Whether a layer in full precision that nobody watches may have a way of its own."""
    if not isinstance(layer, OnRows) or not layer.serves(rows) or watched(layer, activation):
        return False
    return dtype in _WHOLE and not torch.is_autocast_enabled("cpu")


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
    """``[V, I]``, of the types and then the tokens."""
    of_type, of_token = embeddings
    types = of_type.weight.index_select(0, words.types)
    return torch.cat([types, of_token.weight.index_select(0, words.tokens)])
