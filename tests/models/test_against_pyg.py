"""The built-in models give what the same models of PyG's own layers give.

The reference is the same module called without rows: then every layer is PyG's ``forward`` over
messages, pooling is PyG's, and nothing is computed by kind.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional

from harness.graphs.batch import collate
from harness.models import DataShape, make_model
from harness.selection import parse_single
from harness.testing import planted_graphs

MODELS = ("gcn", "gat", "sage", "gin")


@pytest.fixture(scope="module")
def graphs():
    return planted_graphs(320)


@pytest.fixture(scope="module")
def batches(graphs):
    return [collate(graphs, np.arange(start, start + 64)) for start in range(0, 320, 64)]


def loss_of(model, batch, *, fast):
    logits = model(
        batch.x, batch.edge_index, batch.batch, batch.num_graphs,
        rows=batch.neighbours if fast else None,
    )  # fmt: skip
    return functional.cross_entropy(logits, batch.y)


def gradients(model, batch, *, fast):
    return torch.autograd.grad(loss_of(model, batch, fast=fast), list(model.parameters()))


@pytest.fixture(params=MODELS)
def model(request, graphs):
    torch.manual_seed(3)
    name = f"{request.param}[hidden=64,dropout=0]"
    return make_model(parse_single(name), DataShape.of(graphs))


def test_in_double_precision_loss_and_gradients_are_equal(model, batches):
    model = model.double()
    for batch in batches[:2]:
        fast, slow = (loss_of(model, batch, fast=way) for way in (True, False))
        assert torch.allclose(fast, slow, rtol=1e-6)
        for one, other in zip(
            gradients(model, batch, fast=True), gradients(model, batch, fast=False), strict=True
        ):
            assert torch.allclose(one, other, rtol=1e-5, atol=1e-7)


def test_five_steps_of_adam_lose_the_same(model, batches):
    runs = []
    for fast in (True, False):
        net = copy.deepcopy(model)
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
        losses = []
        for batch in batches:
            optimizer.zero_grad()
            loss = loss_of(net, batch, fast=fast)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        runs.append(losses)
    assert runs[0] == pytest.approx(runs[1], abs=1e-5)


def test_gradients_are_as_near_to_double_precision_as_pygs(model, batches):
    """Errors are of fp32 rounding, relative to the tensor's size or, for biases before BatchNorm
    whose gradient is exactly 0, to a thousandth of the largest there is.

    The largest are where a gradient nearly cancels: a ReLU, leaky ReLU or maximum on the other
    side of a tie moves a whole term. PyG's fp32 has them as well.
    """
    exact = gradients(copy.deepcopy(model).double(), batches[0], fast=False)
    least = 1e-3 * max(float(each.abs().max()) for each in exact)
    for fast in (True, False):
        error = torch.cat(
            [
                ((one.double() - wanted).abs() / wanted.abs().max().clamp(min=least)).flatten()
                for one, wanted in zip(gradients(model, batches[0], fast=fast), exact, strict=True)
            ]
        )
        assert float(error.median()) <= 1e-6
        assert float(error.max()) <= 2e-4
