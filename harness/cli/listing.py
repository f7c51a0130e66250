"""``ablate features`` and ``ablate models``: what there is, with cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.registry import import_plugins
from harness.selection import split_list

if TYPE_CHECKING:
    from pydantic import BaseModel

Name = Annotated[str, typer.Argument(help="one of them, to read its card", show_default=False)]
Plugins = Annotated[str, typer.Option(help="Python files that register more, by commas")]


def features(name: Name = "", plugins: Plugins = "") -> None:
    """List the features, or print the card of one: what it does, when it hurts, its flags."""
    from harness.feature import FEATURES  # noqa: PLC0415 - loads torch: keep --help quick

    import_plugins(split_list(plugins))
    if name:
        feature = FEATURES.get(name)
        _card(feature.name, feature.card(), feature)
        hooks = ", ".join(feature.hooks()) or "none"
        typer.echo(f"Claim: {feature.claim.value}. Hooks: {hooks}.")
        return
    _list([(key, one.claim.value, one.card()) for key, one in FEATURES], ("feature", "claim"))


def models(name: Name = "", plugins: Plugins = "") -> None:
    """List the models, or print the card of one with its values."""
    from harness.models import MODELS  # noqa: PLC0415

    import_plugins(split_list(plugins))
    if name:
        entry = MODELS.get(name)
        _card(entry.name, entry.card, entry.values)
        return
    rows = [(key, ", ".join(one.values.model_fields), one.card) for key, one in MODELS]
    _list(rows, ("model", "values"))


def _list(rows: list[tuple[str, str, str]], headers: tuple[str, str]) -> None:
    console = Console()
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    for header in (*headers, "what it does"):
        table.add_column(header, overflow="fold")
    for first, second, card in rows:
        table.add_row(Text(first, style="bold"), Text(second), Text(card.partition("\n\n")[0]))
    console.print(table)


def _card(name: str, card: str, fields: type[BaseModel]) -> None:
    typer.echo(f"{name}\n\n{card}\n")
    for field, info in fields.model_fields.items():
        bounds = ", ".join(_bound(rule) for rule in info.metadata if _bound(rule))
        shown = f" ({bounds})" if bounds else ""
        typer.echo(f"  {name}[{field}={info.default}]  {info.description or ''}{shown}")


def _bound(rule: Any) -> str:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    for attribute, sign in signs.items():
        value = getattr(rule, attribute, None)
        if value is not None:
            return f"{sign} {value}"
    return ""
