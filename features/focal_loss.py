"""Focal loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from pydantic import Field
from torch.nn import functional

from harness import Claim, Feature, register

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import Run


@register
class FocalLoss(Feature):
    """Scale the cross entropy of each graph by (1 - p)^gamma: easy graphs count less.

    Why: late in training most graphs are classified well, and their many small losses drown
    those of the few hard ones.

    When it hurts: with wrong labels, which are the hardest graphs of all; and it flattens
    probabilities towards 0.5, so a threshold of 0.5 suits them less.

    Known limitations: weights by class are class_weights' job; there is no alpha here.

    Source: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017.
    """

    name: ClassVar[str] = "focal_loss"
    claim: ClassVar[Claim] = Claim.QUALITY
    reweights_classes: ClassVar[bool] = True

    gamma: float = Field(2.0, ge=0, le=10, description="how strongly easy graphs are played down")

    def criterion(self, run: Run) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """Losses ``[B]`` from logits ``[B, C]`` and labels ``[B]``."""
        del run
        gamma = self.gamma

        def focal(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
            log_probability = functional.log_softmax(logits, dim=1)
            place = label[:, None]
            true_class = log_probability.gather(1, place).squeeze(1)
            # log(1 - p) out of the other classes: 1 - p itself is 0 in fp32 for a sure graph,
            # where a power below 1 has no gradient.
            others = log_probability.scatter(1, place, -torch.inf).logsumexp(1)
            return -(gamma * others).exp() * true_class

        return focal
