"""``ablate plan``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape

from harness.cli.flags import with_flags
from harness.cli.matrix import ConfigFile, objects_of, say_left_out
from harness.cli.progress import building
from harness.config import RunConfig, load_config

if TYPE_CHECKING:
    from harness.matrix.ablation import Ablation
    from harness.sharing.objects import Objects

_SEED = 0


@with_flags(RunConfig.model_fields)
def plan(flags: dict[str, Any], *, config: ConfigFile = None) -> None:
    """Say what ablate run with the same flags takes, and what it can find.

    Trials of each feature, time (from stored trials, else from a short probe of each model), and
    the power of the design: how often a feature with a given true gain passes. Data are built
    where they are missing; no ablation is trained and nothing is written to --out. With --share,
    what the other machines found counts as stored.

    Example: ablate plan --data reveal_chrome/ --features amp,swa --models gcn,sage --seeds 20
    """
    settings = load_config(flags, config)
    import numpy as np  # noqa: PLC0415 - keep --help quick

    from harness.matrix.ablation import lay_out  # noqa: PLC0415
    from harness.matrix.forecast import forecast  # noqa: PLC0415
    from harness.report.forecast import lines_of  # noqa: PLC0415

    console = Console(stderr=True)
    objects = objects_of(settings.share)
    with building(console) as progress:
        ablation = lay_out(settings, progress)
    say_left_out(settings.features, console)
    with tempfile.TemporaryDirectory(prefix="gnn-ablation-plan-") as scratch:
        if objects is not None:
            ablation = _with_the_others(ablation, objects, Path(scratch), console)
        with console.status("measuring, when no other run times its blocks"):
            found = forecast(ablation.judge, ablation.jobs, np.random.default_rng(_SEED))
    chosen = () if ablation.chosen is None else ablation.chosen.batch_size.lines()
    for line in (*chosen, *lines_of(found, ablation.jobs)):
        typer.echo(line)


def _with_the_others(
    ablation: Ablation, objects: Objects, scratch: Path, console: Console
) -> Ablation:
    """The ablation with what other machines found, in a folder of its own."""
    from harness.sharing.preview import preview  # noqa: PLC0415 - loads torch

    with console.status(f"reading {escape(objects.url)}"):
        ablation, refused = preview(ablation, objects, scratch)
    for what in refused:
        console.print(f"not counted: {what}", markup=False, highlight=False, soft_wrap=True)
    return ablation
