"""GIN."""

from __future__ import annotations

from torch import nn

from harness.models.classifier import GraphClassifier
from harness.models.convolutions import FastGIN
from harness.models.registry import DataShape, register_model
from harness.models.values import Dropout, Hidden, Layers


@register_model("gin")
class GIN(GraphClassifier):
    """Graph isomorphism network: an MLP with BatchNorm on a node's state plus its neighbours' sum.

    Source: Xu et al., "How Powerful are Graph Neural Networks?", ICLR 2019.
    """

    def __init__(
        self, shape: DataShape, hidden: Hidden = 64, layers: Layers = 3, dropout: Dropout = 0.2
    ) -> None:
        def convolution() -> FastGIN:
            return FastGIN(
                nn.Sequential(
                    nn.Linear(hidden, hidden),
                    nn.BatchNorm1d(hidden),
                    nn.ReLU(),
                    nn.Linear(hidden, hidden),
                )
            )

        super().__init__(shape, convolution, hidden=hidden, layers=layers, dropout=dropout)
