"""Who watches a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

_KINDS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def watched(*modules: nn.Module) -> bool:
    """Whether somebody hooked a module, who is to see what it alone is given and gives."""
    return any(getattr(module, kind) for module in modules for kind in _KINDS)
