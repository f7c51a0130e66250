"""Cards of features; those that are not imported are read from the text of their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.declared import declared
from harness.feature import FEATURES

if TYPE_CHECKING:
    from collections.abc import Collection


def cards_of(names: Collection[str]) -> dict[str, str]:
    """The card of each feature that can be found, in the order given.

    Features that are imported already, such as those of a plugin file, give their own. The others'
    files are read and not run: importing them would load torch, which takes seconds.

    Args:
        names: of features, without their values.
    """
    known = {name: FEATURES.known(name) for name in names}
    found = {name: kind.card() for name, kind in known.items() if kind is not None}
    if len(found) < len(known):
        read = {one.name: one.card for one in declared("ablation.features") if one.card}
        found = {**read, **found}
    return {name: found[name] for name in known if name in found}
