"""What the loop uses where no feature owns the slot, and what it asks of those that do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from harness.errors import UsageError
from harness.run import ParameterGroup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import nn

    from harness.settings import TrainingSettings


def one_group(model: nn.Module) -> list[ParameterGroup]:
    """All parameters at the run's own rate and decay."""
    return [ParameterGroup("all", list(model.parameters()))]


def adam(groups: Iterable[ParameterGroup], settings: TrainingSettings) -> torch.optim.Optimizer:
    """Adam with the groups' weight decays, fused into one kernel."""
    decay = settings.weight_decay
    return torch.optim.Adam(
        [
            {
                "params": list(group.parameters),
                "weight_decay": decay if group.weight_decay is None else group.weight_decay,
            }
            for group in groups
        ],
        lr=settings.learning_rate,
        fused=True,
    )


def cross_entropy(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Cross entropy of each graph: ``[B, C]``, ``[B]`` -> ``[B]``."""
    return functional.cross_entropy(logits, label, reduction="none")


def check_groups(groups: Iterable[ParameterGroup], model: nn.Module) -> None:
    """Check that each parameter of the model stands in exactly one group.

    Raises:
        UsageError: naming the parameter that is left out, stands in two groups or is not the
            model's.
    """
    names = {parameter: name for name, parameter in model.named_parameters()}
    seen: dict[nn.Parameter, str] = {}
    for group in groups:
        for parameter in group.parameters:
            if parameter not in names:
                raise UsageError(f"group '{group.name}' holds a parameter that is not the model's")
            if parameter in seen:
                raise UsageError(
                    f"parameter '{names[parameter]}' stands in the groups "
                    f"'{seen[parameter]}' and '{group.name}'"
                )
            seen[parameter] = group.name
    missing = [name for parameter, name in names.items() if parameter not in seen]
    if missing:
        raise UsageError(f"no parameter group holds '{missing[0]}' ({len(missing)} are left out)")


def check_optimizer(optimizer: torch.optim.Optimizer, groups: Sequence[ParameterGroup]) -> None:
    """Check that an optimizer is over the groups it was given, in their order.

    Raises:
        UsageError: if it has more, fewer or other groups.
    """
    found = [[id(each) for each in group["params"]] for group in optimizer.param_groups]
    if found != [[id(each) for each in group.parameters] for group in groups]:
        names = ", ".join(f"'{group.name}'" for group in groups)
        raise UsageError(f"the optimizer is not over the groups {names}, in this order")
