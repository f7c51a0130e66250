"""Whoever hooks a module watches it."""

from __future__ import annotations

import pytest
from torch import nn

from harness.models.hooks import watched


@pytest.mark.parametrize("kind", ["forward", "forward_pre", "full_backward", "full_backward_pre"])
def test_a_module_is_watched_from_when_it_is_hooked_until_the_hook_goes(kind):
    plain, hooked = nn.Linear(1, 1), nn.Linear(1, 1)
    hook = getattr(hooked, f"register_{kind}_hook")(lambda *_: None)
    assert watched(plain, hooked)
    assert not watched(plain)
    hook.remove()
    assert not watched(plain, hooked)
