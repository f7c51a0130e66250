"""The commands that use what a search found."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from harness.config import RunConfig
from harness.matrix.shapes import PHASE_1
from harness.selection import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.feature import Feature
    from harness.result import FitSpec
    from harness.settings import TrainingSettings

_PLACES = ("device", "threads", "plugins", "data_root")


def train_command(spec: FitSpec, config: RunConfig, bare: RunConfig) -> str:
    """The ``ablate train`` command that trains this run.

    Args:
        spec: the run.
        config: of the search.
        bare: the configuration without flags, as the command will find it.
    """
    words = ["ablate", "train", "--data", config.data, "--model", str(spec.model)]
    words += ["--features", _write(spec.arm)]
    return shlex.join([*words, *_flags(spec.settings, config, bare)])


def run_command(spec: FitSpec, config: RunConfig, bare: RunConfig) -> str | None:
    """The ``ablate run`` command that judges the run's features at these values.

    Features outside of the Phase 1 baseline are judged together, in a baseline of the others; if
    there are none, each of the baseline's own. None for a run without features.
    """
    names = {selection.name for selection in parse(PHASE_1)}
    added = [feature for feature in spec.arm if feature.name not in names]
    rest = [feature for feature in spec.arm if feature.name in names]
    if not spec.arm:
        return None
    judged = _write(added) if added else ",".join(str(feature.selection()) for feature in rest)
    words = ["ablate", "run", "--data", config.data, "--models", str(spec.model)]
    words += ["--features", judged, "--baseline", _write(rest)]
    return shlex.join([*words, *_flags(spec.settings, config, bare)])


def _write(features: tuple[Feature, ...] | list[Feature]) -> str:
    return "+".join(str(feature.selection()) for feature in features) or "plain"


def _flags(settings: TrainingSettings, config: RunConfig, bare: RunConfig) -> Iterator[str]:
    """What differs from the configuration that the command will find."""
    found = bare.training
    for name, value in settings.model_dump(mode="json").items():
        if name in RunConfig.model_fields and value != found.model_dump(mode="json")[name]:
            yield from (_flag(name), str(value))
    for name in _PLACES:
        if getattr(config, name) != getattr(bare, name):
            yield from (_flag(name), str(getattr(config, name)))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
