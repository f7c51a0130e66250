"""``ablate plan``."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console

from harness.cli.flags import with_flags
from harness.cli.matrix import ConfigFile, say_left_out
from harness.cli.progress import building
from harness.config import RunConfig, load_config

_SEED = 0


@with_flags(RunConfig.model_fields)
def plan(flags: dict[str, Any], *, config: ConfigFile = None) -> None:
    """Say what ablate run with the same flags takes, and what it can find.

    Trials of each feature, time (from stored trials, else from a short probe of each model), and
    the power of the design: how often a feature with a given true gain passes. Data are built
    where they are missing; no ablation is trained and nothing is written to --out.

    Example: ablate plan --data reveal_chrome/ --features amp,swa --models gcn,sage --seeds 20
    """
    settings = load_config(flags, config)
    import numpy as np  # noqa: PLC0415 - keep --help quick

    from harness.matrix.ablation import lay_out  # noqa: PLC0415
    from harness.matrix.forecast import forecast  # noqa: PLC0415
    from harness.report.forecast import lines_of  # noqa: PLC0415

    console = Console(stderr=True)
    with building(console) as progress:
        ablation = lay_out(settings, progress)
    say_left_out(settings.features, console)
    with console.status("measuring, when no other run times its blocks"):
        found = forecast(ablation.judge, ablation.jobs, np.random.default_rng(_SEED))
    chosen = () if ablation.chosen is None else ablation.chosen.batch_size.lines()
    for line in (*chosen, *lines_of(found, ablation.jobs)):
        typer.echo(line)
