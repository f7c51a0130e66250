"""How long a training step takes, by rows and by messages."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from harness.models import MODELS, DataShape, call_model, make_model
from harness.selection import parse_single


@pytest.mark.parametrize("way", ["rows", "messages"])
@pytest.mark.parametrize("name", MODELS.names())
def test_step(benchmark, graphs, batch, name, way):
    benchmark.group = f"step of {name}"
    torch.manual_seed(0)
    model = make_model(parse_single(f"{name}[hidden=128]"), DataShape.of(graphs))
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    given = batch if way == "rows" else replace(batch, neighbours=None)

    def step():
        optimizer.zero_grad()
        functional.cross_entropy(call_model(model, given), given.y).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    benchmark(step)
