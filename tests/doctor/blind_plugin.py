"""A feature that makes a model blind for large graphs; a plugin file for the doctor's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import Field

from harness import Claim, Feature, register

if TYPE_CHECKING:
    from harness import Run


@register
class Blind(Feature):
    """Call every graph of many nodes safe."""

    name: ClassVar[str] = "planted_blind"
    claim: ClassVar[Claim] = Claim.QUALITY

    nodes: int = Field(19, ge=1, description="graphs from so many nodes on")

    def on_fit_start(self, run: Run) -> None:
        """Hook the model."""

        def blind(module: torch.nn.Module, given: tuple[Any, ...], logits: torch.Tensor) -> Any:
            del module
            large = torch.bincount(given[2], minlength=len(logits)) >= self.nodes
            safe = logits.new_tensor([20.0, -20.0]).expand_as(logits)
            return torch.where(large[:, None], safe, logits)

        run.model.register_forward_hook(blind)
