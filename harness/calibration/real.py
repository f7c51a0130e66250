"""Calibration by real runs: small ablations of planted features, through all that a user's go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config import RunConfig
from harness.graphs.sources import silent
from harness.matrix.ablation import prepare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.calibration.cases import Case
    from harness.calibration.line import Line
    from harness.matrix.events import Event

PLANTED = Path(__file__).with_name("planted.py")
MODEL = "gcn[hidden=16,layers=2]"
TRAINING = {"epochs": 12, "batch_size": 32, "learning_rate": 0.02, "warmup_epochs": 6}
"""Enough for a small model on small data to learn, and not to collapse by itself."""


def settings(**values: Any) -> RunConfig:
    """A configuration of small runs that file and environment have no part in.

    Raises:
        pydantic.ValidationError: if a value is out of its range.
    """
    defaults = {name: field.default for name, field in RunConfig.model_fields.items()}
    return RunConfig(**{**defaults, "plugins": str(PLANTED), "models": MODEL, **TRAINING, **values})


def run_case(case: Case, out: Path, changed: Mapping[str, Any]) -> Line:
    """Judge one planted feature by real trainings.

    Args:
        case: what is planted and what must come of it.
        out: folder of all calibration results; the case gets one below it, for ``ablate report``.
        changed: values of ``RunConfig`` beside those of the case.

    Raises:
        HarnessError: if data or results cannot be read.
        OSError: if the folder cannot be written.
    """
    config = settings(
        data="calibration[graphs=1000]",
        seeds=10,
        features=case.candidate,
        baseline=case.baseline,
        policy=case.policy.value,
        timing_epochs=case.timing_epochs,
        out=out / case.name.replace(" ", "_"),
        **changed,
    )
    ablation = prepare(config, silent)
    ablation.run(_nobody)
    (feature,) = ablation.plan.features
    return case.line(ablation.judge.verdict(feature))


def _nobody(event: Event) -> None:
    del event
