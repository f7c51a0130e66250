"""All targets by name."""

from __future__ import annotations

from tests.fuzz import data, shared, stored, texts

TARGETS = {target.name: target for room in (texts, data, stored, shared) for target in room.TARGETS}
