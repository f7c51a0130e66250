"""What each feature adds to a training step of each model; ``none`` is the step without any.

A step here is what the loop does for a batch, events of the feature included. What a feature does
once a run, such as an LR range test, or around several runs, is outside of it.
"""

from __future__ import annotations

import pytest
import torch

from harness.feature import FEATURES
from harness.models import MODELS


@pytest.mark.parametrize("feature", ["none", *FEATURES.names()])
@pytest.mark.parametrize("model", MODELS.names())
def test_step_with(benchmark, make_run, batch, tmp_path, model, feature):
    benchmark.group = f"step of {model} with a feature"
    run = make_run(model, "" if feature == "none" else feature, folder=tmp_path).run
    run.model.train()
    run.emit("on_epoch_start")
    benchmark(run.train_window, [batch], batch.num_graphs)
    assert torch.isfinite(run.loss)
