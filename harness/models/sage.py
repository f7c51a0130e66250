"""GraphSAGE."""

from __future__ import annotations

from harness.models.classifier import GraphClassifier
from harness.models.convolutions import FastSAGE
from harness.models.registry import DataShape, register_model
from harness.models.values import Dropout, Hidden, Layers


@register_model("sage")
class GraphSAGE(GraphClassifier):
    """GraphSAGE with mean aggregation: a node's own state and its neighbours' mean.

    Source: Hamilton, Ying and Leskovec, "Inductive Representation Learning on Large Graphs",
    NeurIPS 2017.
    """

    def __init__(
        self, shape: DataShape, hidden: Hidden = 64, layers: Layers = 3, dropout: Dropout = 0.2
    ) -> None:
        super().__init__(
            shape, lambda: FastSAGE(hidden, hidden), hidden=hidden, layers=layers, dropout=dropout
        )
