"""PyG's convolutions, with a faster way to the same result where the batch brings rows.

Each class keeps its parent's parameters and state_dict. Without rows (off the CPU), or set up in
a way that the fast one does not cover, the parent's ``forward`` runs; its sums are in fp32 too.
Some can take their activation into one pass over tiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch_geometric.nn import GATConv, GCNConv, GINConv, MessagePassing, SAGEConv

from harness.models.attention import attend
from harness.models.fused import SumLayer
from harness.models.neighbours import aggregate, at_least_fp32, expand
from harness.models.perceptron import PerceptronLayer

if TYPE_CHECKING:
    from harness.graphs.adjacency import Aggregation, Kinds, Neighbours


class OnRows(MessagePassing):  # type: ignore[misc]
    """Chooses between rows and the parent's messages."""

    adds_self_loops = False

    def __init__(self, *arguments: Any, **values: Any) -> None:
        super().__init__(*arguments, **values)
        self.register_propagate_forward_pre_hook(_states_in_fp32)

    def forward(
        self,
        x: torch.Tensor,
        edge_index: torch.Tensor,
        rows: Neighbours | None = None,
        kinds: Kinds | None = None,
    ) -> torch.Tensor:
        """Features ``[N, H_in]``, or ``[U, H_in]`` one per kind, to ``[N, H_out]``."""
        if rows is not None and self.serves(rows):
            return self.on_rows(x, rows, kinds)
        general: torch.Tensor = super().forward(
            at_least_fp32(x if kinds is None else expand(x, kinds)), edge_index
        )
        return general

    def serves(self, rows: Neighbours) -> bool:
        """Whether rows can be used as they are."""
        return self.standard() and not (rows.self_loops and self.adds_self_loops)

    def standard(self) -> bool:
        """Whether the layer's options are those that ``on_rows`` computes."""
        raise NotImplementedError

    def tiled(self, width: int) -> SumLayer | PerceptronLayer | None:
        """What the layer does with its activation by tiles of states so wide, or None."""
        del width
        return None

    def aggregation(self, rows: Neighbours) -> Aggregation:
        """What it sums at each node."""
        raise NotImplementedError

    def on_rows(self, x: torch.Tensor, rows: Neighbours, kinds: Kinds | None) -> torch.Tensor:
        """What ``forward`` gives, without messages."""
        raise NotImplementedError


def _states_in_fp32(layer: nn.Module, given: tuple[Any, Any, dict[str, Any]]) -> Any:
    """Let messages be of fp32 states: they are summed in what they come in, and so are gradients.

    Off the CPU each addition of such a sum is rounded, so that bf16 stops growing at 256 terms.
    """
    del layer
    edge_index, size, named = given
    x = named["x"]
    states = tuple(map(at_least_fp32, x)) if isinstance(x, tuple) else at_least_fp32(x)
    return edge_index, size, {**named, "x": states}


class FastGCN(OnRows, GCNConv):  # type: ignore[misc]
    """``GCNConv`` with both degrees' roots as weights of one sum."""

    adds_self_loops = True

    def standard(self) -> bool:
        """Normalised, with self-loops of weight 1."""
        return bool(self.normalize and self.add_self_loops and not self.improved)

    def on_rows(self, x: torch.Tensor, rows: Neighbours, kinds: Kinds | None) -> torch.Tensor:
        """Multiply, then sum: the first layer multiplies each kind once."""
        out = aggregate(self.lin(x), rows.normalised, kinds)
        return out if self.bias is None else out.add_(self.bias)

    def aggregation(self, rows: Neighbours) -> Aggregation:
        """The sum over the roots of both degrees."""
        return rows.normalised

    def tiled(self, width: int) -> SumLayer | None:
        """Multiply, sum, activate."""
        weight, bias = self.lin.weight, self.bias
        if bias is None or weight.shape != (width, width):
            return None
        return SumLayer(weight, None, bias)


class FastSAGE(OnRows, SAGEConv):  # type: ignore[misc]
    """``SAGEConv`` with the mean read off the rows."""

    def standard(self) -> bool:
        """The mean, beside the node's own state."""
        return self.aggr == "mean" and self.root_weight and not (self.project or self.normalize)

    def on_rows(self, x: torch.Tensor, rows: Neighbours, kinds: Kinds | None) -> torch.Tensor:
        """Average, then multiply; of kinds, which are few, the other way round."""
        weight, bias = self.lin_l.weight, self.lin_l.bias
        if kinds is None:
            # Added in place: each sum would be another pass over the states.
            out = nn.functional.linear(aggregate(x, rows.averaged), weight)
            out.addmm_(x.to(out.dtype), self.lin_r.weight.to(out.dtype).t())
            return out if bias is None else out.add_(bias)
        summed = aggregate(nn.functional.linear(x, weight), rows.averaged, kinds)
        own = self.lin_r(x) if bias is None else self.lin_r(x) + bias
        return summed + expand(at_least_fp32(own), kinds)

    def aggregation(self, rows: Neighbours) -> Aggregation:
        """The mean."""
        return rows.averaged

    def tiled(self, width: int) -> SumLayer | None:
        """Multiply by both factors, average the one's products, add the other's."""
        weight, own, bias = self.lin_l.weight, self.lin_r.weight, self.lin_l.bias
        if bias is None or not weight.shape == own.shape == (width, width):
            return None
        return SumLayer(weight, own, bias)


class FastGIN(OnRows, GINConv):  # type: ignore[misc]
    """``GINConv`` with the sum read off the rows."""

    def standard(self) -> bool:
        """Whatever its network is."""
        return True

    def on_rows(self, x: torch.Tensor, rows: Neighbours, kinds: Kinds | None) -> torch.Tensor:
        """Sum, then the network; its first product on kinds where it is a linear layer."""
        first = self.nn[0] if isinstance(self.nn, nn.Sequential) else None
        if kinds is None or type(first) is not nn.Linear:
            out: torch.Tensor = self.nn(self._sum(x, rows, kinds))
            return out
        hidden = self._sum(nn.functional.linear(x, first.weight), rows, kinds)
        bias: torch.Tensor | None = first.bias
        hidden = hidden if bias is None else hidden + bias
        for layer in self.nn[1:]:
            hidden = layer(hidden)
        return hidden

    def aggregation(self, rows: Neighbours) -> Aggregation:
        """The sum with the node itself."""
        return rows.summed_with_self

    def tiled(self, width: int) -> PerceptronLayer | None:
        """The two passes that a BatchNorm between two linear layers leaves."""
        if not self._is_usual():
            return None
        first, norm, _, second = self.nn
        if not first.weight.shape == second.weight.shape == (width, width):
            return None
        return PerceptronLayer(first, norm, second)

    def _is_usual(self) -> bool:
        """Linear, BatchNorm, ReLU, linear; eps of 0; no gradient in evaluation."""
        if isinstance(self.eps, nn.Parameter) or self.eps or type(self.nn) is not nn.Sequential:
            return False
        if tuple(map(type, self.nn)) != (nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear):
            return False
        first, norm, _, second = self.nn
        evaluates = norm.track_running_stats and not torch.is_grad_enabled()
        ready = norm.momentum is not None if norm.training else evaluates
        biased = all(linear.bias is not None for linear in (first, second))
        return bool(ready and norm.affine and biased)

    def _sum(self, x: torch.Tensor, rows: Neighbours, kinds: Kinds | None) -> torch.Tensor:
        if not isinstance(self.eps, nn.Parameter) and not self.eps:
            return aggregate(x, rows.summed_with_self, kinds)
        own = (1 + self.eps) * (x if kinds is None else expand(x, kinds))
        return aggregate(x, rows.summed, kinds) + at_least_fp32(own)


class FastGAT(OnRows, GATConv):  # type: ignore[misc]
    """``GATConv`` with softmax and weighted sum over rows."""

    adds_self_loops = True

    def standard(self) -> bool:
        """Concatenated heads, one transform of both ends, no dropout of attention."""
        return (
            self.concat and self.add_self_loops and self.lin is not None and self.edge_dim is None
            and not self.residual and not (self.training and self.dropout)
        )  # fmt: skip

    def on_rows(self, x: torch.Tensor, rows: Neighbours, kinds: Kinds | None) -> torch.Tensor:
        """Attend over the transformed states.

        Logits are taken of the input, by the product of transform and attention vectors, so that
        no product of the size of the states is written.
        """
        hidden = self.lin(x).view(len(x), self.heads, self.out_channels)
        weight = self.lin.weight.view(self.heads, self.out_channels, -1)
        vectors = torch.cat([self.att_src, self.att_dst]).unsqueeze(-1)
        with torch.autocast("cpu", enabled=False):
            logits = at_least_fp32(x) @ (vectors * weight).sum(2).flatten(0, 1).t()
        closed = rows.into.with_self
        out = attend(hidden, logits.view(len(x), 2, self.heads), closed, self.negative_slope, kinds)
        flat = out.flatten(1)
        return flat if self.bias is None else flat.add_(self.bias)
