"""``ablate features`` and ``ablate models``: what there is, with cards, and a feature's start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.cli import complete
from harness.errors import UsageError
from harness.registry import import_plugins
from harness.selection import split_list

if TYPE_CHECKING:
    from pydantic import BaseModel

_ONE = "one of them, to read its card"
FeatureName = Annotated[
    str, typer.Argument(help=_ONE, show_default=False, autocompletion=complete.features)
]
ModelName = Annotated[
    str, typer.Argument(help=_ONE, show_default=False, autocompletion=complete.models)
]
Plugins = Annotated[str, typer.Option(help="Python files that register more, by commas")]
Markdown = Annotated[bool, typer.Option("--markdown", help="print Markdown, as docs/features.md")]
New = Annotated[
    str,
    typer.Option(metavar="NAME", help="write a new feature that works, its test and its page"),
]
Into = Annotated[Path, typer.Option(metavar="DIR", help="project that --new writes into")]
ClaimOf = Annotated[str, typer.Option(help="of --new: quality, speed, memory, insight or scale")]


def features(
    name: FeatureName = "",
    *,
    plugins: Plugins = "",
    markdown: Markdown = False,
    new: New = "",
    into: Into = Path(),
    claim: ClaimOf = "quality",
) -> None:
    """List the features, or print the card of one: what it does, when it hurts, its flags.

    --new NAME writes features/NAME.py, tests/features/test_NAME.py and the feature's page below
    --into, and overwrites nothing.

    Examples: ablate features swa; ablate features --new my_idea --into my_project
    """
    from harness.feature import FEATURES  # noqa: PLC0415 - loads torch: keep --help quick

    import_plugins(split_list(plugins))
    if new:
        if name or markdown:
            raise UsageError("stands alone", where="--new", mend=f"ablate features --new {new}")
        _start(new, into, claim)
    elif markdown:
        from harness.report.cards import to_cards  # noqa: PLC0415

        chosen = [(name, FEATURES.get(name))] if name else FEATURES
        typer.echo(to_cards(chosen), nl=False)
    elif name:
        feature = FEATURES.get(name)
        _card(feature.name, feature.card(), feature)
        hooks = ", ".join(feature.hooks()) or "none"
        typer.echo(f"Claim: {feature.claim.value}. Hooks: {hooks}.")
    else:
        _list([(key, one.claim.value, one.card()) for key, one in FEATURES], ("feature", "claim"))


def models(name: ModelName = "", plugins: Plugins = "") -> None:
    """List the models, or print the card of one with its values."""
    from harness.models import MODELS  # noqa: PLC0415

    import_plugins(split_list(plugins))
    if name:
        entry = MODELS.get(name)
        _card(entry.name, entry.card, entry.values)
        return
    rows = [(key, ", ".join(one.values.model_fields), one.card) for key, one in MODELS]
    _list(rows, ("model", "values"))


def _start(name: str, folder: Path, claim: str) -> None:
    from harness.report.start import start_feature  # noqa: PLC0415

    started = start_feature(name, folder, claim)
    for path in started.files:
        typer.echo(f"wrote {path}")
    typer.echo("next: " + "\n      ".join(started.commands))


def _list(rows: list[tuple[str, str, str]], headers: tuple[str, str]) -> None:
    console = Console()
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    for header in (*headers, "what it does"):
        table.add_column(header, overflow="fold")
    for first, second, card in rows:
        table.add_row(Text(first, style="bold"), Text(second), Text(card.partition("\n\n")[0]))
    console.print(table)


def _card(name: str, card: str, fields: type[BaseModel]) -> None:
    from harness.report.cards import bounds  # noqa: PLC0415

    typer.echo(f"{name}\n\n{card}\n")
    for field, info in fields.model_fields.items():
        limits = bounds(info)
        shown = f" ({limits})" if limits else ""
        typer.echo(f"  {name}[{field}={info.default}]  {info.description or ''}{shown}")
