"""The clauses that train a little catch what was made to break them."""

from __future__ import annotations

from typing import ClassVar

import torch

from harness.feature import Claim, Feature


class Whole(Feature):
    name: ClassVar[str] = "whole"
    claim: ClassVar[Claim] = Claim.QUALITY


def test_a_loss_that_is_not_finite_is_found(refused):
    class Infinite(Whole):
        def criterion(self, run):
            del run
            return lambda logits, label: logits.sum(1) / (label - label)

    refused("trains_on_every_model", Infinite, "on gin: the loss is not finite in epoch 1")


def test_an_evaluation_model_of_other_weights_is_found(refused):
    class Other(Whole):
        def evaluation_model(self, run):
            return torch.nn.Sequential(run.model)

    refused("trains_on_every_model", Other, "it raised")


def test_an_error_in_training_names_clause_and_cause(refused):
    class Raising(Whole):
        def on_epoch_end(self, run) -> None:
            raise RuntimeError(f"planted in epoch {run.epoch}")

    refused("trains_on_every_model", Raising, "RuntimeError: planted in epoch 0")


def test_probabilities_of_other_graphs_are_found(refused):
    class Lying(Whole):
        def around_fit(self, fit, spec):
            found = fit(spec)
            scores = type(found.gate)(**{**vars(found.gate), "index": found.gate.index[::-1]})
            return type(found)(**{**vars(found), "gate": scores})

    refused("trains_on_every_model", Lying, "scores on gate are of other graphs")


# Clipping ------------------------------------------------------------------------------------


class _Unscaled(torch.amp.GradScaler):
    def unscale_(self, optimizer):
        """Forget to do it."""


def test_gradients_that_are_clipped_while_scaled_are_found(refused):
    class Forgetful(Whole):
        def grad_scaler(self, run):
            return _Unscaled(run.device.type)

    refused("works_with_clipping", Forgetful, "still scaled")


def test_gradients_that_change_after_clipping_are_found(refused):
    class Boosting(Whole):
        def on_fit_start(self, run) -> None:
            run.optimizer.register_step_pre_hook(_boost)

    refused("works_with_clipping", Boosting, "the optimizer saw 0.01")


def _boost(optimizer, *_):
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad *= 10


def test_a_loss_without_gradient_is_found(refused):
    class Blind(Whole):
        def criterion(self, run):
            del run
            return lambda logits, label: (logits * 0).sum(1) + label

    refused("works_with_clipping", Blind, "no gradient reaches the weights")
