"""The frame that the built-in graph classifiers share: embed, convolve, pool, classify."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from harness.models.activation import ReLUDropout
from harness.models.one_pass import encode
from harness.models.pooling import pool_in_fp32

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.graphs.adjacency import Neighbours
    from harness.models.registry import DataShape


class GraphClassifier(nn.Module):
    """Embedding of type + token, N convolutions, mean + max pooling in fp32, MLP head.

    Args:
        shape: vocabulary sizes, classes and graph features of the data.
        convolution: makes one layer of ``harness.models.convolutions``, ``H`` wide.
        hidden: width ``H``.
        layers: number of convolutions.
        dropout: probability after each convolution and in the head.
    """

    def __init__(
        self, shape: DataShape, convolution: Callable[[], nn.Module], *, hidden: int, layers: int,
        dropout: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.type_embedding = nn.Embedding(shape.num_types, hidden)
        self.token_embedding = nn.Embedding(shape.num_tokens, hidden)
        self.convolutions = nn.ModuleList(convolution() for _ in range(layers))
        self.activation = ReLUDropout(dropout)
        self.head = nn.Sequential(
            nn.Linear(2 * hidden + shape.num_graph_features, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, shape.num_classes),
        )

    def forward(
        self,
        x: torch.Tensor,
        edge_index: torch.Tensor,
        batch: torch.Tensor,
        size: int | None = None,
        graph_features: torch.Tensor | None = None,
        rows: Neighbours | None = None,
    ) -> torch.Tensor:
        """Logits ``[B, C]`` of graphs with node ids ``x`` ``[N, 2]`` and edges ``[2, E]``."""
        embeddings = self.type_embedding, self.token_embedding
        pooled = encode(embeddings, list(self.convolutions), self.activation, rows)
        if pooled is None:
            pooled = self._by_steps(x, edge_index, batch, size, rows)
        if graph_features is not None:
            pooled = torch.cat([pooled, graph_features], dim=1)
        logits: torch.Tensor = self.head(pooled)
        return logits

    def _by_steps(
        self, x: torch.Tensor, edge_index: torch.Tensor, batch: torch.Tensor, size: int | None,
        rows: Neighbours | None,
    ) -> torch.Tensor:  # fmt: skip
        """What ``encode`` gives, part by part: the first layer on each kind of node."""
        kinds = None if rows is None else rows.kinds
        ids = x if kinds is None else kinds.x
        hidden = self.type_embedding(ids[:, 0]) + self.token_embedding(ids[:, 1])
        for convolution in self.convolutions:
            hidden = self.activation(convolution(hidden, edge_index, rows, kinds))
            kinds = None
        return pool_in_fp32(hidden, batch, size, rows)
