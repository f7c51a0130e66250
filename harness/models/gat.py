"""GAT."""

from __future__ import annotations

from harness.errors import UsageError
from harness.models.classifier import GraphClassifier
from harness.models.convolutions import FastGAT
from harness.models.registry import DataShape, register_model
from harness.models.values import Dropout, Heads, Hidden, Layers


@register_model("gat")
class GAT(GraphClassifier):
    """Graph attention network: neighbours weighted by learned attention, heads concatenated.

    Source: Velickovic et al., "Graph Attention Networks", ICLR 2018.

    Raises:
        UsageError: if ``hidden`` is no multiple of ``heads``.
    """

    def __init__(
        self,
        shape: DataShape,
        hidden: Hidden = 64,
        layers: Layers = 3,
        dropout: Dropout = 0.2,
        heads: Heads = 4,
    ) -> None:
        if hidden % heads:
            raise UsageError(
                f"hidden={hidden} is no multiple of heads={heads}",
                where=f"gat[hidden={hidden},heads={heads}]",
                mend="choose a multiple: each head has hidden / heads channels",
            )
        super().__init__(
            shape,
            lambda: FastGAT(hidden, hidden // heads, heads=heads),
            hidden=hidden,
            layers=layers,
            dropout=dropout,
        )
