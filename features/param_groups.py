"""Parameter groups: discriminative learning rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from torch import nn

from harness import Claim, Feature, ParameterGroup, register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness import Run


@register
class ParamGroups(Feature):
    """Train encoder and head at different rates, with weight decay on matrices alone.

    Why: the head starts from nothing while embeddings and convolutions change slowly once they
    are useful; decay on biases, norms and embeddings only shrinks what must be free. Groups go
    by role: the head is the module called ``head``, or else the last linear layer; biases, norms
    and embeddings do not decay.

    When it hurts: with an encoder that is not pretrained, a small encoder rate starves the part
    that has most to learn.

    Known limitations: two depths, not one per layer; the factors are fixed over the run.

    Source: Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification",
    ACL 2018.
    """

    name: ClassVar[str] = "param_groups"
    claim: ClassVar[Claim] = Claim.QUALITY

    encoder: float = Field(0.5, ge=0, le=100, description="factor of the encoder's learning rate")
    head: float = Field(1.0, ge=0, le=100, description="factor of the head's learning rate")
    weight_decay: float = Field(1e-4, ge=0, le=10, description="decay of weight matrices")

    def parameter_groups(self, run: Run) -> Sequence[ParameterGroup]:
        """At most four groups: encoder and head, each with and without decay."""
        head = {id(parameter) for parameter in head_of(run.model).parameters()}
        free = {id(parameter) for parameter in without_decay(run.model)}
        parts: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for parameter in run.model.parameters():
            role = id(parameter) in head, id(parameter) in free
            parts.setdefault(role, []).append(parameter)
        return [
            ParameterGroup(
                name=("head" if in_head else "encoder") + ("/no_decay" if is_free else ""),
                parameters=parameters,
                factor=self.head if in_head else self.encoder,
                weight_decay=0.0 if is_free else self.weight_decay,
            )
            for (in_head, is_free), parameters in sorted(parts.items(), key=lambda part: part[0])
        ]


def head_of(model: nn.Module) -> nn.Module:
    """The classifier's head: the module called ``head``, or else the last linear layer."""
    head = getattr(model, "head", None)
    if isinstance(head, nn.Module):
        return head
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    return linear[-1] if linear else nn.Identity()


def without_decay(model: nn.Module) -> list[nn.Parameter]:
    """Parameters that do not decay: vectors and scalars (biases, norms) and embeddings."""
    embeddings = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, nn.Embedding | nn.EmbeddingBag)
        for parameter in module.parameters(recurse=False)
    }
    return [
        parameter
        for parameter in model.parameters()
        if parameter.ndim < 2 or id(parameter) in embeddings  # noqa: PLR2004 - matrices
    ]
