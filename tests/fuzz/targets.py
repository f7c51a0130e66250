"""All targets by name."""

from __future__ import annotations

from tests.fuzz import data, stored, texts

TARGETS = {target.name: target for room in (texts, data, stored) for target in room.TARGETS}
