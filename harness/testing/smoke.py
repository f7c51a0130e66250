"""Clauses that train a little: on every model, with clipping, and two features together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from harness.models import DataShape, make_model
from harness.testing.case import one_thread
from harness.training.fit import FitSession, fit

if TYPE_CHECKING:
    from harness.feature import Feature
    from harness.result import FitResult, FitSpec, Scores
    from harness.testing.case import Case
    from harness.training.live import LiveRun

EPOCHS = 10
LIMIT = 1e-3
TOLERANCE = 1e-3


def trains_on_every_model(case: Case) -> None:
    """64 graphs, 10 epochs on each model: finite losses, and results of the right shapes."""
    for model in case.models:
        spec = case.spec(case.arm, model=model, settings={"epochs": EPOCHS})
        with one_thread():
            found = fit(spec)
        fault = fault_of(found, spec)
        if fault is not None:
            raise case.broken(
                "trains_on_every_model",
                f"on {model}: {fault}",
                mend="train that model with the feature alone and look at its history",
            )


def fault_of(found: FitResult, spec: FitSpec) -> str | None:
    """What is wrong with the result of a smoke run, in one sentence, or None."""
    if found.collapse is not None and found.collapse.rule == "not_finite":
        return found.collapse.detail
    if len(found.history) != spec.settings.epochs:
        return f"it trained {len(found.history)} epochs of {spec.settings.epochs}"
    for record in found.history:
        for name, value in record.model_dump().items():
            if not np.isfinite(value):
                return f"{name} is {value} in epoch {record.epoch + 1}"
    for name, part in (("select", spec.split.select), ("gate", spec.split.gate)):
        fault = _fault_of_scores(getattr(found, name), part)
        if fault is not None:
            return f"the scores on {name} {fault}"
    return _fault_of_state(found.state, spec)


def _fault_of_scores(scores: Scores | None, index: np.ndarray[Any, Any]) -> str | None:
    if scores is None:
        return "are missing"
    if not np.array_equal(scores.index, index):
        return "are of other graphs"
    if scores.probability.shape != index.shape or scores.probability.dtype != np.float32:
        kind = f"{scores.probability.dtype}{list(scores.probability.shape)}"
        return f"are {kind} and not float32{list(index.shape)}"
    if not (np.isfinite(scores.probability).all() and np.isfinite(scores.loss)):
        return "are not finite"
    if scores.probability.min() < 0 or scores.probability.max() > 1:
        return "are no probabilities"
    return None


def _fault_of_state(state: dict[str, torch.Tensor], spec: FitSpec) -> str | None:
    wanted = make_model(spec.model, DataShape.of(spec.graphs)).state_dict()
    if state.keys() != wanted.keys():
        return f"its weights have other names: {sorted(state.keys() ^ wanted.keys())}"
    for name, value in state.items():
        if value.shape != wanted[name].shape or value.dtype != wanted[name].dtype:
            return f"weight '{name}' is {value.dtype}{list(value.shape)}"
        if not torch.isfinite(value).all():
            return f"weight '{name}' is not finite"
    return None


def works_with_clipping(case: Case) -> None:
    """With clipping the optimizer sees the true gradient, no longer than the limit."""
    clause = "works_with_clipping"
    with one_thread():
        session = FitSession(case.spec(case.arm, settings={"clip_norm": LIMIT, "epochs": 2}))
        watch = _Watch(session.run)
        session.run.optimizer.register_step_pre_hook(watch)
        while not session.ended:
            session.run_epoch()
    if watch.fault is not None:
        raise case.broken(
            clause, watch.fault, mend="leave gradients to the loop: it unscales, then clips them"
        )
    if watch.longest == 0:
        raise case.broken(
            clause,
            "no gradient reaches the weights",
            mend="take the loss of the model's own output",
        )


class _Watch:
    """Looks at the gradient in the moment in which the optimizer does."""

    def __init__(self, run: LiveRun) -> None:
        self._run = run
        self.fault: str | None = None
        self.longest = 0.0

    def __call__(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        norm = float(self._run.gradient_norm)
        if not np.isfinite(norm):
            return  # the gradient scaler skips this step
        self.longest = max(self.longest, norm)
        gradients = [one.grad for one in self._run.model.parameters() if one.grad is not None]
        seen, wanted = float(nn.utils.get_total_norm(gradients)), min(norm, LIMIT)
        if abs(seen - wanted) > TOLERANCE * wanted:
            self.fault = (
                f"the loop clipped the gradient to {wanted:.4g}, the optimizer saw {seen:.4g}"
            )
        if getattr(optimizer, "grad_scale", None) is not None:
            self.fault = "the gradient was clipped while it was still scaled"


def smoke_arm(case: Case, arm: tuple[Feature, ...], epochs: int) -> str | None:
    """Train an arm for a few epochs on the case's first model; what is wrong, or None."""
    spec = case.spec(arm, settings={"epochs": epochs})
    with one_thread():
        return fault_of(fit(spec), spec)
