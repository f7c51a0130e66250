"""PyG's convolutions, with a faster way to the same result where the batch brings rows.

Each class keeps its parent's parameters, state_dict and general path: without rows, on a GPU, or
on adjacency that is no transpose of itself, the parent's ``forward`` runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch_geometric.nn import GATConv, GCNConv, GINConv, SAGEConv

from harness.models.neighbours import at_least_fp32, attention_sum, neighbour_sum, usable

if TYPE_CHECKING:
    import torch

    from harness.graphs.adjacency import Neighbours


class FastGCN(GCNConv):  # type: ignore[misc]
    """``GCNConv`` with the square roots of both degrees taken at the nodes, not at the edges."""

    def forward(
        self, x: torch.Tensor, edge_index: torch.Tensor, rows: Neighbours | None = None
    ) -> torch.Tensor:
        """Features ``[N, H_in]`` to ``[N, H_out]``."""
        if rows is None or rows.self_loops or not usable(rows, x):
            general: torch.Tensor = super().forward(x, edge_index)
            return general
        root = (rows.degree + 1).rsqrt()
        weight = root[rows.source.long()] * root[rows.target]
        x = at_least_fp32(self.lin(x))
        out = neighbour_sum(x, rows, weight) + x * root.square()[:, None]
        return out if self.bias is None else out + self.bias


class FastSAGE(SAGEConv):  # type: ignore[misc]
    """``SAGEConv`` with the mean read off the rows."""

    def forward(
        self, x: torch.Tensor, edge_index: torch.Tensor, rows: Neighbours | None = None
    ) -> torch.Tensor:
        """Features ``[N, H_in]`` to ``[N, H_out]``."""
        if rows is None or not usable(rows, x):
            general: torch.Tensor = super().forward(x, edge_index)
            return general
        share = rows.degree.clamp(min=1).reciprocal()
        mean = neighbour_sum(x, rows, share[rows.target], share[rows.source.long()])
        out: torch.Tensor = self.lin_l(mean) + self.lin_r(x)
        return out


class FastGIN(GINConv):  # type: ignore[misc]
    """``GINConv`` with the sum read off the rows."""

    def forward(
        self, x: torch.Tensor, edge_index: torch.Tensor, rows: Neighbours | None = None
    ) -> torch.Tensor:
        """Features ``[N, H_in]`` to ``[N, H_out]``."""
        if rows is None or not usable(rows, x):
            general: torch.Tensor = super().forward(x, edge_index)
            return general
        out: torch.Tensor = self.nn(neighbour_sum(x, rows) + (1 + self.eps) * x)
        return out


class FastGAT(GATConv):  # type: ignore[misc]
    """``GATConv`` with softmax and weighted sum over rows."""

    def forward(
        self, x: torch.Tensor, edge_index: torch.Tensor, rows: Neighbours | None = None
    ) -> torch.Tensor:
        """Features ``[N, H_in]`` to ``[N, heads C]``."""
        if rows is None or rows.self_loops or not usable(rows, x):
            general: torch.Tensor = super().forward(x, edge_index)
            return general
        nodes = len(x)
        hidden = at_least_fp32(self.lin(x)).view(nodes, self.heads, self.out_channels)
        source = (hidden * self.att_src).sum(-1)
        target = (hidden * self.att_dst).sum(-1)
        out = attention_sum(hidden, source, target, rows, self.negative_slope)
        biased: torch.Tensor = out.reshape(nodes, -1) + self.bias
        return biased
