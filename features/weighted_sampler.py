"""Weighted sampler."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from harness import Claim, Feature, register

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness import Run


@register
class WeightedSampler(Feature):
    """Draw the graphs of an epoch with replacement, the rare class more often.

    Why: every batch sees both classes about equally often, so gradients are balanced without
    large weights on single graphs. An epoch has as many draws as there are training graphs;
    the draws follow (seed, epoch) alone. Sampling picks graphs, never nodes, so a batch is whole
    graphs as PyG expects them.

    When it hurts: about a third of the safe graphs are not seen in an epoch, and vulnerable ones
    repeat, which invites overfitting where there are few of them.

    Known limitations: the probabilities are set once, from the training part; an epoch is as
    long as without it, so the comparison is at equal steps, not at equal distinct graphs.

    Source: torch.utils.data.WeightedRandomSampler; Japkowicz and Stephen, "The class imbalance
    problem: A systematic study", 2002.
    """

    name: ClassVar[str] = "weighted_sampler"
    claim: ClassVar[Claim] = Claim.QUALITY
    reweights_classes: ClassVar[bool] = True

    strength: float = Field(
        1.0, ge=0, le=1, description="1 draws both classes equally often, 0 as they come"
    )

    def sampler(self, run: Run) -> Callable[[int], NDArray[np.int64]]:
        """Places ``[G_train]`` drawn with replacement for each epoch."""
        train = run.train
        label = run.graphs.label[train]
        count = np.bincount(label, minlength=2)
        weight = (1.0 / np.maximum(count, 1))[label] ** self.strength
        cumulative = np.cumsum(weight)

        def draw(epoch: int) -> NDArray[np.int64]:
            uniform = run.generator(epoch).random(len(train)) * cumulative[-1]
            place = np.searchsorted(cumulative, uniform, side="right")
            drawn: NDArray[np.int64] = train[np.minimum(place, len(train) - 1)]
            return drawn

        return draw
