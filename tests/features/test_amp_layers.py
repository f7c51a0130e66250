"""Which layers run in low precision under autocast, measured; sums and pooling never do.

What torch computes is watched below autocast, where dtypes are what they really are. A sum in low
precision whose every addition is rounded, as GPUs do it, stops growing at 256 terms (bf16) or 2048
(fp16). The CPU's kernels add up in fp32 whatever they are given, so a test of values would see
nothing here: dtypes are watched, and the rounding is emulated.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch_geometric.nn import GATConv, GCNConv, GINConv, MessagePassing, SAGEConv

from harness.graphs.batch import collate
from harness.graphs.dataset import DatasetInfo, PackedGraphs
from harness.graphs.splits import Split
from harness.models.convolutions import FastGAT, FastGCN, FastGIN, FastSAGE
from harness.models.pooling import pool_in_fp32
from harness.training.fit import fit
from harness.training.live import LiveRun

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
PRODUCTS = {"mm", "addmm", "addmm_", "bmm", "baddbmm"}
SUMS = {
    "_embedding_bag", "embedding_dense_backward", "index_add", "index_add_", "index_put_",
    "scatter_add", "scatter_add_", "scatter_reduce", "scatter_reduce_", "segment_reduce",
}  # fmt: skip
LOW, FULL = "low", "fp32"
LEAVES = 5000


class Watch(TorchDispatchMode):
    """What products and sums of which layer come out as."""

    def __init__(self):
        super().__init__()
        self.layer = "elsewhere"
        self.seen = defaultdict(set)

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        out = function(*arguments, **(named or {}))
        operator = function.overloadpacket.__name__
        first = out[0] if isinstance(out, tuple) else out
        kind = "product" if operator in PRODUCTS else "sum" if operator in SUMS else None
        if kind and isinstance(first, torch.Tensor) and first.is_floating_point():
            self.note(kind, first)
        return out

    def note(self, kind, tensor):
        self.seen[self.layer, kind].add(FULL if tensor.dtype == torch.float32 else LOW)

    def follow(self, model):
        """Note by layer: the convolutions in their order, and the head."""
        convolutions = [each for each in model.modules() if isinstance(each, MessagePassing)]
        for name, layer in [*enumerate(convolutions, 1), ("head", model.head)]:
            layer.register_forward_pre_hook(lambda *_, name=name: setattr(self, "layer", name))
            layer.register_forward_hook(self._after)

    def _after(self, module, given, out):
        self.note("output", out)
        self.note("input", given[0])
        self.layer = "elsewhere"


def measured(make_spec, model, dtype, *, rows):
    """Dtypes by layer and kind, in a forward and backward pass in training."""
    run = LiveRun(make_spec(f"amp[dtype={dtype}]" if dtype else "", model=model))
    batch = collate(run.graphs, run.train[:16])
    watch = Watch()
    watch.follow(run.model)
    run.model.train()
    with watch:
        logits = run.forward(batch if rows else replace(batch, neighbours=None))
        watch.layer = "backward"
        logits.float().sum().backward()
    return watch.seen


# The matrix ----------------------------------------------------------------------------------

# What convolutions 1 and 2 give, and the precision of their products; sums are in fp32.
OUTPUTS = {
    ("gcn", "rows"): (FULL, FULL), ("gcn", "general"): (FULL, FULL),
    ("gat", "rows"): (FULL, FULL), ("gat", "general"): (FULL, FULL),
    ("sage", "rows"): (FULL, LOW), ("sage", "general"): (LOW, LOW),
    ("gin", "rows"): (LOW, LOW), ("gin", "general"): (LOW, LOW),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("model", "way"), OUTPUTS)
def test_products_run_in_low_precision_and_the_outputs_are_as_listed(make_spec, model, way, dtype):
    """GCN and GAT give fp32, since their sums come last; SAGE and GIN end in a product.

    By rows SAGE's first layer ends in a sum as well: its products are taken of kinds of nodes.
    GAT's logits are a small product of their own in fp32.
    """
    seen = measured(make_spec, model, dtype, rows=way == "rows")
    first, later = OUTPUTS[model, way]
    products = {LOW, FULL} if (model, way) == ("gat", "rows") else {LOW}
    for layer, output in ((1, first), (2, later), (3, later)):
        assert seen[layer, "product"] == products
        assert seen[layer, "output"] == {output}
        # Activations come out in fp32 on the CPU, so every layer sums that.
        assert seen[layer, "input"] == {FULL}
    assert seen["head", "input"] == {FULL}
    assert seen["head", "product"] == seen["head", "output"] == {LOW}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("model", "way"), OUTPUTS)
def test_no_sum_runs_in_low_precision_forward_or_backward(make_spec, model, way, dtype):
    seen = measured(make_spec, model, dtype, rows=way == "rows")
    sums = {layer: found for (layer, kind), found in seen.items() if kind == "sum"}
    assert sums
    assert set.union(*sums.values()) == {FULL}


def test_without_it_nothing_does(make_spec):
    seen = measured(make_spec, "gin", None, rows=True)
    assert set.union(*seen.values()) == {FULL}


# Sums ----------------------------------------------------------------------------------------


def mlp():
    return nn.Sequential(nn.Linear(8, 8))


OURS = {
    "gcn": lambda: FastGCN(8, 8), "sage": lambda: FastSAGE(8, 8), "gin": lambda: FastGIN(mlp()),
    "gat": lambda: FastGAT(8, 4, heads=2),
}  # fmt: skip
PYGS = {
    "gcn": lambda: GCNConv(8, 8), "sage": lambda: SAGEConv(8, 8), "gin": lambda: GINConv(mlp()),
    "gat": lambda: GATConv(8, 4, heads=2),
}  # fmt: skip


class RoundedPerAdd(TorchDispatchMode):
    """Sums in low precision one addition after the other, as atomic additions on a GPU are."""

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        operator = function.overloadpacket.__name__
        rounded = operator in ("scatter_add_", "index_add", "index_add_")
        if not rounded or arguments[0].dtype == torch.float32:
            return function(*arguments, **(named or {}))
        total, dim, index, terms = arguments
        total = total if operator.endswith("_") else total.clone()
        add = total.scatter_add_ if operator == "scatter_add_" else total.index_add_
        for at in range(len(terms)):
            add(dim, index[at : at + 1], terms[at : at + 1])
        return total


@pytest.fixture(scope="module")
def star():
    """A hub with many leaves, both ways."""
    return collate(stars([LEAVES]), np.array([0]))


def stars(sizes):
    sizes = np.array(sizes)
    return PackedGraphs(
        info=DatasetInfo(name="stars", source="stars", num_types=3, num_tokens=5, symmetric=True),
        node_type=np.concatenate([[1, *[2] * size] for size in sizes]).astype(np.uint8),
        node_token=np.arange(sizes.sum() + len(sizes), dtype=np.uint8) % 5,
        edge_source=np.zeros(sizes.sum(), np.uint16),
        edge_target=np.concatenate([np.arange(1, size + 1) for size in sizes]).astype(np.uint16),
        node_ptr=np.concatenate([[0], np.cumsum(sizes + 1)]),
        edge_ptr=np.concatenate([[0], np.cumsum(sizes)]),
        label=(np.arange(len(sizes)) % 2).astype(np.int8),
        group=np.arange(len(sizes), dtype=np.int32),
    )


def hub_errors(layer, star, dtype, *, rows=False):
    """Relative errors of the hub's output and gradient, given states in low precision."""
    state = torch.linspace(0.5, 1.5, len(star.x))[:, None].expand(-1, 8)
    found = []
    for low in (False, True):
        x = state.clone().requires_grad_()
        layer.zero_grad()
        with RoundedPerAdd(), torch.autocast("cpu", dtype=dtype, enabled=low):
            given = x.to(dtype) if low else x
            out = layer(given, star.edge_index, *([star.neighbours] if rows else []))
            out.float().abs().sum().backward()
        found.append((out[0].detach().float(), x.grad[0]))
    (out, grad), (low_out, low_grad) = found
    return [float((a - b).norm() / a.norm()) for a, b in ((out, low_out), (grad, low_grad))]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("way", ["rows", "general"])
@pytest.mark.parametrize("model", OURS)
def test_where_every_addition_is_rounded_no_sum_over_neighbours_saturates(star, model, way, dtype):
    torch.manual_seed(2)
    errors = hub_errors(OURS[model](), star, DTYPES[dtype], rows=way == "rows")
    assert max(errors) < 0.02


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("model", PYGS)
def test_pygs_own_layers_would_saturate_there(star, model, dtype):
    """So the test above would catch it; and so would the one that watches dtypes."""
    torch.manual_seed(2)
    layer = PYGS[model]()
    assert max(hub_errors(layer, star, DTYPES[dtype])) > 0.1
    watch = Watch()
    x = torch.ones(len(star.x), 8, dtype=DTYPES[dtype], requires_grad=True)
    with watch, torch.autocast("cpu", dtype=DTYPES[dtype]):
        layer(x, star.edge_index).sum().backward()
    assert LOW in watch.seen["elsewhere", "sum"]


@pytest.mark.parametrize(("dtype", "last"), [(torch.bfloat16, 256), (torch.float16, 2048)])
def test_a_sum_rounded_at_each_addition_stops_growing(dtype, last):
    with RoundedPerAdd():
        total = torch.zeros(1, dtype=dtype)
        total.index_add_(0, torch.zeros(LEAVES, dtype=torch.int64), torch.ones(LEAVES, dtype=dtype))
    assert float(total) == last


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("way", ["rows", "general"])
def test_pooling_is_exact_over_many_nodes_in_either_way(star, way, dtype):
    watch = Watch()
    hidden = torch.ones(len(star.x), 4, dtype=dtype, requires_grad=True)
    with RoundedPerAdd(), watch, torch.autocast("cpu", dtype=dtype):
        rows = star.neighbours if way == "rows" else None
        pooled = pool_in_fp32(hidden, star.batch, 1, rows)
        pooled.sum().backward()
    assert pooled.dtype == torch.float32
    assert pooled.tolist() == [[1.0] * 8]
    assert LOW not in watch.seen["elsewhere", "sum"]


def with_hub(make_spec, model, dtype, leaves):
    """Train on small stars and evaluate a large one as well."""
    graphs = stars([leaves, *range(3, 26)])
    parts = np.array_split(np.random.default_rng(0).permutation(24), 3)
    split = Split(**dict(zip(("train", "select", "gate"), map(np.sort, parts), strict=True)))
    assert 0 in split.select
    arm = f"amp[dtype={dtype}]"
    return fit(
        make_spec(
            arm, model=model, graphs=graphs, split=split, epochs=4, batch_size=4, learning_rate=0.01
        )
    )


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
@pytest.mark.parametrize("model", ["gcn", "gat", "sage", "gin"])
def test_with_hubs_everything_stays_finite(make_spec, model, dtype):
    """450 neighbours are more than any node of the real data has.

    How far GIN's sums grow with fp16 depends on the bits of the CPU's products: from 450 on one.
    """
    leaves = LEAVES if dtype == "bf16" else 300 if model == "gin" else 450
    found = with_hub(make_spec, model, dtype, leaves)
    assert len(found.history) == 4
    for record in found.history:
        assert np.isfinite(list(record.model_dump().values())).all()
    assert all(value.isfinite().all() for value in found.state.values())


def test_where_gins_sums_leave_the_range_of_fp16_the_run_ends_and_says_so(make_spec):
    """A hub that training never saw: BatchNorm does not know its scale, and fp16 ends at 65504."""
    found = with_hub(make_spec, "gin", "fp16", LEAVES)
    assert found.collapse.rule == "not_finite"
