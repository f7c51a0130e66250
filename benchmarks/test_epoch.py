"""How long an epoch takes with its evaluation, and an evaluation alone; 2,000 small graphs."""

from __future__ import annotations

import pytest

from harness.models import MODELS
from harness.training.evaluate import score


@pytest.mark.benchmark(group="epoch", min_rounds=3)
@pytest.mark.parametrize("model", MODELS.names())
def test_epoch(benchmark, make_run, model):
    session = make_run(model)
    benchmark(session.run_epoch)
    assert len(session.run.history) >= 1


@pytest.mark.benchmark(group="evaluation", min_rounds=3)
@pytest.mark.parametrize("model", MODELS.names())
def test_evaluation(benchmark, make_run, model):
    run = make_run(model).run
    select = run.spec.split.select
    scores = benchmark(score, run, run.model, select)
    assert len(scores.probability) == len(select)
