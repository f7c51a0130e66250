"""Label smoothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from torch.nn import functional

from harness import Claim, Feature, register

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from harness import Run


@register
class LabelSmoothing(Feature):
    """Train towards 1 - epsilon instead of 1, so that no logit has to grow without end.

    Why: overconfident models generalise and calibrate worse.

    When it hurts: with very few epochs, where nothing is overconfident yet.

    Known limitations: owns the criterion, so it excludes focal_loss.

    Source: Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016.
    """

    name: ClassVar[str] = "label_smoothing"
    claim: ClassVar[Claim] = Claim.QUALITY

    epsilon: float = Field(0.1, ge=0, lt=1, description="mass moved away from the true class")

    def criterion(self, run: Run) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """Losses ``[B]`` from logits ``[B, C]`` and labels ``[B]``."""
        del run

        def smooth(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
            return functional.cross_entropy(
                logits, label, reduction="none", label_smoothing=self.epsilon
            )

        return smooth
