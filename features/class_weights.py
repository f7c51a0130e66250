"""Class weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from pydantic import Field

from harness import Claim, DataError, Feature, register

if TYPE_CHECKING:
    from harness import Run

REMEDIES_THAT_MEET = 3
SOFTENING = 0.8


@register
class ClassWeights(Feature):
    """Multiply each graph's loss by the inverse frequency of its class, within a cap.

    Why: where 27 % of the functions are vulnerable, "safe" is a good answer to a plain loss.
    The vulnerable class is weighted by ``multiplier`` on top; the ratio of the two weights is at
    most ``cap``; the mean weight over the graphs of an epoch is 1, so the learning rate keeps its
    meaning. Frequencies are those of the graphs as they are drawn: where a sampler has balanced
    the classes there is nothing left to weigh but the multiplier, and no class counts twice.
    Where three remedies for imbalance meet in one arm (a sampler and a focal loss beside this),
    the multiplier is taken times 0.8, but not below 1, and the run says so.

    When it hurts: where few vulnerable graphs are labelled wrongly, their losses weigh most; and
    probabilities no longer mean frequencies, so a threshold of 0.5 suits them less.

    Known limitations: two classes; weights come from the draws of the first epoch, not per batch.

    Source: King and Zeng, "Logistic Regression in Rare Events Data", 2001; the formula is
    scikit-learn's "balanced" class weight.
    """

    name: ClassVar[str] = "class_weights"
    claim: ClassVar[Claim] = Claim.QUALITY
    reweights_classes: ClassVar[bool] = True

    multiplier: float = Field(
        1.25, gt=0, le=100, description="weight of the vulnerable class on top of its rarity"
    )
    cap: float = Field(10.0, ge=1, le=1000, description="largest ratio of the two classes' weights")

    def class_weights(self, run: Run) -> torch.Tensor:
        """Weights ``[2]``: of safe and of vulnerable graphs.

        Raises:
            DataError: if the training graphs are all of one class.
        """
        multiplier = self.multiplier
        remedies = [feature.name for feature in run.arm if feature.reweights_classes]
        if len(remedies) >= REMEDIES_THAT_MEET:
            multiplier = max(1.0, SOFTENING * multiplier)
            run.say(
                f"{', '.join(remedies)} all counter the class imbalance: the multiplier of "
                f"class_weights is {multiplier:g} instead of {self.multiplier:g}"
            )
        label = run.graphs.label[run.order(0)]
        vulnerable = float((label == 1).mean())
        if not 0 < vulnerable < 1:
            raise DataError("the training graphs are all of one class: there is nothing to weigh")
        ratio = (1 - vulnerable) / vulnerable * multiplier
        ratio = min(max(ratio, 1 / self.cap), self.cap)
        safe_weight = 1 / (1 - vulnerable + vulnerable * ratio)
        return torch.tensor([safe_weight, safe_weight * ratio])
