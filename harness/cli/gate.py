"""``ablate gate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.flags import with_flags
from harness.cli.matrix import (  # typer reads the annotations
    ConfigFile,
    Quiet,
    judge_and_show,
)
from harness.config import PREFIX, RunConfig, load_config
from harness.errors import ExitCode, UsageError
from harness.matrix.changes import Stale

if TYPE_CHECKING:
    from collections.abc import Sequence


class Inconclusive(StrEnum):
    """What an INCONCLUSIVE verdict does to the exit code."""

    FAIL = "fail"
    PASS = "pass"  # noqa: S105 - no password


Since = Annotated[
    str | None,
    typer.Option(
        help="git revision: judge the features whose code, or code that they import, changed "
        "since, committed or not",
        envvar=f"{PREFIX}SINCE", metavar="REV", show_default=False,
    ),
]  # fmt: skip
OnInconclusive = Annotated[
    Inconclusive | None,
    typer.Option(
        help="fail: exit code 1 where it would be 3; pass: 0",
        envvar=f"{PREFIX}INCONCLUSIVE", show_default=False,
    ),
]  # fmt: skip
OnStale = Annotated[
    Stale,
    typer.Option(
        help="where engine, model or baseline changed since REV: judge all features asked for, "
        "or the changed ones",
        envvar=f"{PREFIX}STALE_BASELINE",
    ),
]


@with_flags(RunConfig.model_fields)
def gate(
    flags: dict[str, Any],
    *,
    since: Since = None,
    inconclusive: OnInconclusive = None,
    stale_baseline: OnStale = Stale.ALL,
    config: ConfigFile = None,
    quiet: Quiet = False,
) -> None:
    """Judge what a change concerns: the verdict of stored trials, after what is missing is run.

    With --since those features are judged that changed, directly or through what they import;
    with --features those that are named; with both those that are in both. A change of docstrings
    or comments alone needs no run, nor does none; verdict.json then has no feature. Exit codes are
    those of ablate run: 0 PASS or nothing to judge, 1 FAIL, 2 usage, 3 INCONCLUSIVE (see
    --inconclusive), 4 not measured.

    Example: ablate gate --since origin/main --inconclusive pass
    """
    settings = load_config(flags, config)
    only: Sequence[str] | None = None
    if since is not None:
        only = _since(settings, since, stale_baseline, quiet=quiet)
        if not only:
            raise typer.Exit(ExitCode.PASS)
    elif "features" not in settings.model_fields_set:
        raise UsageError(
            "nothing says which features are meant",
            where="--since, --features",
            mend="judge what changed: ablate gate --since REV\n"
            "or what is named: ablate gate --features a,b (or all)",
        )
    code = judge_and_show(settings, quiet=quiet, only=only)
    if code == ExitCode.INCONCLUSIVE and inconclusive is not None:
        code = ExitCode.FAIL if inconclusive is Inconclusive.FAIL else ExitCode.PASS
        typer.echo(
            f"INCONCLUSIVE counts as {inconclusive.name} here (--inconclusive {inconclusive}): "
            f"exit code {code:d}"
        )
    raise typer.Exit(code)


def _since(settings: RunConfig, since: str, stale: Stale, *, quiet: bool) -> tuple[str, ...]:
    """Say what changed, and name the candidates that are to be judged."""
    from harness.matrix.scope import scope_of  # noqa: PLC0415 - loads torch
    from harness.report.changes import lines_of  # noqa: PLC0415
    from harness.report.unneeded import write_unneeded  # noqa: PLC0415

    scope = scope_of(settings, since, stale, Path.cwd())
    lines = list(lines_of(scope))
    for line in lines[-1:] if quiet else lines:
        typer.echo(line)
    if not scope.candidates:
        write_unneeded(settings, lines, settings.out)
    return scope.candidates
