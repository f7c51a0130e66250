"""What a user would write with PyG alone: the reference that the engine is held against.

The architecture is that of the built-in models, with their parameters' names, on PyG's own
convolutions; the loop is that of PyG's examples. Nothing of the engine is used but the packed
data that the list of ``Data`` is made of, before the clock runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch import nn
from torch.nn import functional
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import (
    GATConv,
    GCNConv,
    GINConv,
    SAGEConv,
    global_max_pool,
    global_mean_pool,
)

from benchmarks.cells import (
    BATCH_SIZE,
    CLIP_NORM,
    DROPOUT,
    LAYERS,
    LEARNING_RATE,
    Cell,
    Precision,
)
from harness.graphs.batch import collate

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.graphs.dataset import PackedGraphs
    from harness.graphs.splits import Split

_HEADS = 4


def convolution(model: str, hidden: int) -> nn.Module:
    """One of PyG's layers, ``[N, H]`` to ``[N, H]``, as the built-in model of that name has it."""
    kinds: dict[str, Callable[[], nn.Module]] = {
        "gcn": lambda: GCNConv(hidden, hidden),
        "sage": lambda: SAGEConv(hidden, hidden),
        "gat": lambda: GATConv(hidden, hidden // _HEADS, heads=_HEADS),
        "gin": lambda: GINConv(
            nn.Sequential(
                nn.Linear(hidden, hidden),
                nn.BatchNorm1d(hidden),
                nn.ReLU(),
                nn.Linear(hidden, hidden),
            )
        ),
    }
    return kinds[model]()


class PlainClassifier(nn.Module):
    """Type and token embedding, three convolutions, mean and max pooling, a two-layer head.

    Args:
        model: name of the architecture.
        hidden: width ``H``.
        num_types: size of the node-type vocabulary.
        num_tokens: size of the token vocabulary.
        dropout: probability after each convolution and in the head.
    """

    def __init__(
        self, model: str, hidden: int, num_types: int, num_tokens: int, dropout: float = DROPOUT
    ) -> None:
        super().__init__()
        self.type_embedding = nn.Embedding(num_types, hidden)
        self.token_embedding = nn.Embedding(num_tokens, hidden)
        self.convolutions = nn.ModuleList(convolution(model, hidden) for _ in range(LAYERS))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Sequential(
            nn.Linear(2 * hidden, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 2)
        )

    def forward(
        self, x: torch.Tensor, edge_index: torch.Tensor, batch: torch.Tensor
    ) -> torch.Tensor:
        """Logits ``[B, 2]`` of graphs with node ids ``x`` ``[N, 2]`` and edges ``[2, E]``."""
        hidden = self.type_embedding(x[:, 0]) + self.token_embedding(x[:, 1])
        for layer in self.convolutions:
            hidden = self.dropout(functional.relu(layer(hidden, edge_index)))
        pooled = [global_mean_pool(hidden, batch), global_max_pool(hidden, batch)]
        logits: torch.Tensor = self.head(torch.cat(pooled, dim=1))
        return logits


def data_list(graphs: PackedGraphs, index: NDArray[np.int64]) -> list[Data]:
    """The graphs at ``index`` as PyG's ``Data``, one object each, both directions of each edge."""
    single = (collate(graphs, np.array([place])) for place in index)
    return [Data(x=one.x, edge_index=one.edge_index, y=one.y) for one in single]


class PlainTraining:
    """Training with PyG alone, an epoch at a time.

    Args:
        graphs: the data set.
        split: its ``train`` and ``select`` parts are used.
        cell: what to train.
        fused: whether Adam is the fused one.
    """

    def __init__(
        self, graphs: PackedGraphs, split: Split, cell: Cell, *, fused: bool = False
    ) -> None:
        torch.manual_seed(0)
        info = graphs.info
        self.model = PlainClassifier(cell.model, cell.hidden, info.num_types, info.num_tokens)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=LEARNING_RATE, fused=fused or None
        )
        self._low = cell.precision is Precision.BF16
        self._train = DataLoader(
            data_list(graphs, split.train), batch_size=BATCH_SIZE, shuffle=True
        )
        self._held_out = DataLoader(data_list(graphs, split.select), batch_size=BATCH_SIZE)

    def epoch(self) -> float:
        """Train and evaluate an epoch; gives the F1 of the held-out part."""
        self.model.train()
        total = 0.0
        for batch in self._train:
            total += self.step(batch) * batch.num_graphs
        return self.evaluate()

    def step(self, batch: Data) -> float:
        """Take one step and give its loss."""
        self.optimizer.zero_grad()
        loss = functional.cross_entropy(self.logits(batch), batch.y)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        self.optimizer.step()
        return loss.item()

    def logits(self, batch: Data) -> torch.Tensor:
        """Logits ``[B, 2]`` in fp32, whatever the layers are in."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self._low):
            found: torch.Tensor = self.model(batch.x, batch.edge_index, batch.batch)
        return found.float()

    @torch.no_grad()
    def evaluate(self) -> float:
        """F1 of the vulnerable class on the held-out part."""
        self.model.eval()
        said = [(self.logits(batch).argmax(dim=1), batch.y) for batch in self._held_out]
        predicted, label = (torch.cat(part).numpy() for part in zip(*said, strict=True))
        return float(f1_score(label, predicted, zero_division=0.0))
