"""``ablate tune``: a hyper-parameter search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from harness.cli.flags import with_flags
from harness.cli.progress import building
from harness.cli.train import TRAINING_FLAGS, ArmOfRun, Model
from harness.config import load_config
from harness.errors import UsageError, first_problem
from harness.registry import import_plugins
from harness.selection import parse_single, split_list
from harness.tuning.search import Pruner, Search, require

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.trial import FrozenTrial

    from harness.config import RunConfig
    from harness.tuning.search import Winner
    from harness.tuning.workers import Task

SPACE = (
    "learning_rate=3e-4..1e-2:log, hidden?=32|64|128, layers?=2..4, "
    "class_weights.multiplier?=0.5..4:log, focal_loss.gamma?=0..4"
)


@with_flags(TRAINING_FLAGS)
def tune(  # noqa: PLR0913 - each is a flag
    flags: dict[str, Any],
    *,
    space: Annotated[
        str,
        typer.Option(
            help="what is searched, by commas: name=low..high, low..high:log, low..high:step=X "
            "or a|b|c; names are settings (learning_rate), values of the model (hidden) and "
            "fields of features (focal_loss.gamma); name? is left out where the run lacks it"
        ),
    ] = SPACE,
    model: Model = "sage",
    features: ArmOfRun = "phase1",
    trials: Annotated[
        int, typer.Option(min=1, help="trials of the study, over all workers and sessions")
    ] = 20,
    timeout: Annotated[
        float, typer.Option(min=0, help="seconds after which no trial is begun; 0: no limit")
    ] = 0.0,
    workers: Annotated[int, typer.Option(min=1, max=4096, help="processes on this machine")] = 1,
    repeats: Annotated[
        int,
        typer.Option(min=1, max=100, help="training runs of a trial, on own seeds"),
    ] = 1,
    pruner: Annotated[
        Pruner, typer.Option(help="what stops a trial early; wilcoxon needs 5 repeats")
    ] = Pruner.MEDIAN,
    storage: Annotated[
        str,
        typer.Option(
            help="path of a journal file or database URL that workers share, as "
            "postgresql+psycopg://user@host/name or sqlite:///study.db; "
            "empty: study.journal in the folder of --out"
        ),
    ] = "",
    study: Annotated[
        str, typer.Option(help="name of the study; empty: one made of all that is searched")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="of the search")] = 0,
    out: Annotated[Path, typer.Option(help="folder of journal, logs and report")] = Path(
        ".ablation/tune"
    ),
) -> None:
    """Search for the best values of a model, its training and its features.

    TPE with pruning, on select F1 of seeds that no gate uses. A stopped search goes on when the
    same command is given again, and the same command on another terminal, or with the same
    --storage on another machine, takes part in it. At the end it prints the best trial and the
    commands that use it, and writes Optuna's plots to report.html.

    Needs the extra hpo: pip install 'gnn-ablation-harness[hpo]'. A database needs its driver
    beside it, for PostgreSQL: pip install psycopg.

    Example: ablate tune --data my.jsonl --model gat --space 'learning_rate=1e-4..1e-2:log,
    hidden=32|64|128, swa.start=0.3..0.8' --features phase1+swa --workers 4
    """
    require()
    search = _search(
        space=space, trials=trials, timeout=timeout, repeats=repeats, pruner=pruner,
        storage=storage, study=study,
    )  # fmt: skip
    config = load_config(flags)
    console = Console(stderr=True)
    task = _task(search, config, console, model=model, features=features, seed=seed, out=out)
    from harness.tuning.workers import search_together  # noqa: PLC0415 - takes seconds

    def say(text: str) -> None:
        console.print(Text(text), soft_wrap=True)

    winner = search_together(task, workers, _line_of(say, trials), say)
    _show(winner, config)
    typer.echo(f"report: {search.report(winner, out)}")


def _search(**fields: Any) -> Search:
    try:
        return Search(**fields)
    except ValidationError as error:
        name, what, _ = first_problem(error)
        flag = f"--{name}" if name else "--pruner"
        raise UsageError(what, where=flag, mend="see: ablate tune --help") from error


def _task(
    search: Search,
    config: RunConfig,
    console: Console,
    *,
    model: str,
    features: str,
    seed: int,
    out: Path,
) -> Task:
    """What the workers are given; the data are built first where they are not there yet."""
    from harness.hardware import describe  # noqa: PLC0415 - takes seconds: keep --help quick
    from harness.matrix.ablation import load_stored  # noqa: PLC0415
    from harness.matrix.shapes import baseline_of  # noqa: PLC0415
    from harness.tuning.space import parse_space  # noqa: PLC0415
    from harness.tuning.workers import Task  # noqa: PLC0415

    plugins = import_plugins(split_list(config.plugins))
    describe(config.device, config.threads)
    arm = baseline_of(features)
    parse_space(search.space)
    parsed = parse_single(model)
    with building(console) as progress:
        _, folder = load_stored(config.data, config.data_root, progress)
    return Task(
        search=search.model_dump_json(),
        data=str(folder),
        folder=str(out),
        model=str(parsed),
        arm=tuple(map(str, arm)),
        settings=config.training.model_dump_json(),
        seed=seed,
        device=config.device,
        threads=config.threads,
        plugins=plugins,
    )


def _line_of(say: Callable[[str], None], wanted: int) -> Callable[[FrozenTrial], None]:
    """A function that prints a line for each trial."""
    best = 0.0
    count = 0

    def show(trial: FrozenTrial) -> None:
        nonlocal best, count
        count += 1
        values = ", ".join(
            f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in trial.params.items()
        )
        if trial.user_attrs.get("error"):
            outcome = f"failed: {trial.user_attrs['error']}"
        elif trial.state.name == "PRUNED":
            outcome = "pruned"
        else:
            value = trial.value or 0.0
            outcome = f"select F1 {value:.4f}{' (best so far)' if value > best else ''}"
            best = max(best, value)
        say(f"{count}/{wanted}  trial {trial.number}: {outcome}  {values}")

    return show


def _show(winner: Winner, config: RunConfig) -> None:
    from harness.tuning.commands import run_command, train_command  # noqa: PLC0415

    typer.echo(f"study {winner.study} in {winner.where}")
    typer.echo(f"trial {winner.number}: {winner.sentence}")
    bare = load_config({})
    typer.echo(train_command(winner.spec, config, bare))
    command = run_command(winner.spec, config, bare)
    if command is not None:
        typer.echo(command)
