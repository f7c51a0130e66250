"""GCN."""

from __future__ import annotations

from harness.models.classifier import GraphClassifier
from harness.models.convolutions import FastGCN
from harness.models.registry import DataShape, register_model
from harness.models.values import Dropout, Hidden, Layers


@register_model("gcn")
class GCN(GraphClassifier):
    """Graph convolutional network: neighbours' mean, normalised by both degrees.

    Source: Kipf and Welling, "Semi-Supervised Classification with Graph Convolutional Networks",
    ICLR 2017.
    """

    def __init__(
        self, shape: DataShape, hidden: Hidden = 64, layers: Layers = 3, dropout: Dropout = 0.2
    ) -> None:
        super().__init__(
            shape, lambda: FastGCN(hidden, hidden), hidden=hidden, layers=layers, dropout=dropout
        )
