"""``ablate train``: one training run, the tool for daily use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from harness.cli import complete
from harness.cli.flags import with_flags
from harness.cli.progress import building, epochs_bar
from harness.config import RunConfig, load_config
from harness.registry import import_plugins
from harness.selection import parse_single, split_list
from harness.settings import TrainingSettings

if TYPE_CHECKING:
    from harness.result import FitResult

COLLAPSED = 1

_OWN = ("data", "preset", "threads", "device", "plugins", "data_root")
TRAINING_FLAGS = (
    *_OWN,
    *(name for name in TrainingSettings.model_fields if name in RunConfig.model_fields),
)
Model = Annotated[
    str, typer.Option(help="model, as sage[hidden=128]", autocompletion=complete.models)
]
ArmOfRun = Annotated[
    str,
    typer.Option(
        help="phase1, plain, or features joined by +: phase1 parts and others",
        autocompletion=complete.arm,
    ),
]


@with_flags(TRAINING_FLAGS)
def train(
    flags: dict[str, Any],
    *,
    model: Model = "sage",
    features: ArmOfRun = "phase1",
    seed: Annotated[int, typer.Option(min=0, help="of split, initialisation and data order")] = 0,
    out: Annotated[
        Path, typer.Option(help="folder of checkpoints, history and diagnostics")
    ] = Path(".ablation/train"),
    resume: Annotated[
        bool, typer.Option("--resume", help="go on from the last checkpoint")
    ] = False,
) -> None:
    """Train one model once, with any features, and keep its checkpoints and history.

    The folder gets best.pt, last.pt, metrics_history.csv and, if the run collapses,
    diagnostics.json and diagnostics.txt. Exit code 1 says that it collapsed.

    With ddp among the features it trains in several processes; started by torchrun -m harness train
    it takes torchrun's, on one machine or several.

    Example: ablate train --data my.jsonl --model gat --features phase1+swa --epochs 30
    """
    settings = load_config(flags)
    from harness.graphs.catalog import load  # noqa: PLC0415 - takes seconds: keep --help quick
    from harness.graphs.splits import split_by_seed  # noqa: PLC0415
    from harness.hardware import available_cores  # noqa: PLC0415
    from harness.matrix.auto_size import resolve  # noqa: PLC0415
    from harness.matrix.shapes import baseline_of  # noqa: PLC0415
    from harness.models.registry import model_values  # noqa: PLC0415
    from harness.process import set_up  # noqa: PLC0415
    from harness.result import FitSpec  # noqa: PLC0415
    from harness.training.fit import fit  # noqa: PLC0415

    first = os.environ.get("RANK", "0") == "0"  # of those that torchrun started
    console = Console(stderr=True, quiet=not first)
    import_plugins(split_list(settings.plugins))
    arm = baseline_of(features)
    selected = parse_single(model)
    # Building data can take a minute: what is wrong with the question is said before.
    model_values(selected)
    for feature in arm:
        feature.inputs_key()
    with building(console) as progress:
        graphs = load(settings.data, settings.data_root, progress)
    set_up(settings.threads, os.environ)
    named = {graphs.info.name: graphs}
    settings, chosen = resolve(settings, [selected], named, out / "cache", jobs=1)
    if chosen is not None:
        chosen.keep()
        for line in chosen.batch_size.lines():
            typer.echo(line)
    spec = FitSpec(
        graphs=graphs,
        split=split_by_seed(graphs.label, graphs.group, seed),
        model=selected,
        arm=arm,
        settings=settings.training,
        seed=seed,
        device=settings.device,
        folder=out,
        cache=out / "cache",
        resume=resume,
        processes=max(1, available_cores() // settings.threads),
    )
    with epochs_bar(console, settings.training.epochs) as advance:
        found = fit(spec, on_epoch=advance)
    if first:
        _show(found, graphs.info.notes, out)
    raise typer.Exit(COLLAPSED if found.collapse else 0)


def _show(found: FitResult, notes: tuple[str, ...], out: Path) -> None:
    from harness.metrics import Confusion, predict  # noqa: PLC0415

    for note in (*found.notes, *notes):
        typer.echo(note)
    if found.collapse is not None:
        typer.echo(f"collapsed ({found.collapse.rule}): {found.collapse.detail}")
        typer.echo(f"see {out / 'diagnostics.txt'}")
    if found.gate is not None:
        predicted = predict(found.gate.probability, found.threshold)
        gate = Confusion.of(found.gate.label, predicted)
        typer.echo(
            f"epoch {found.best_epoch + 1} chosen on select, threshold {found.threshold:.3f}; "
            f"gate: F1 {gate.f1:.3f}, precision {gate.precision:.3f}, recall {gate.recall:.3f}, "
            f"balanced accuracy {gate.balanced_accuracy:.3f}"
        )
    typer.echo(
        f"{sum(found.train_seconds):.1f} s of training in {len(found.history)} epochs: {out}"
    )
