"""Flags made from the fields of a configuration, so that each is described in one place."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from harness.cli.complete import completer_of
from harness.config import PREFIX, TABLES, RunConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import BaseModel

R = TypeVar("R")


def with_flags(
    names: Iterable[str], config: type[BaseModel] = RunConfig
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Decorate a command so that it takes the named fields as options, and gets them as a dict.

    The command's first parameter receives ``{name: value or None}``; its other parameters stay.
    A flag that is not given is None, so that file and environment can speak. Settings that are
    tables are left to those two.
    """
    wanted = tuple(name for name in names if name not in TABLES)

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

        def call(**given: Any) -> R:
            flags = {name: given.pop(name) for name in wanted}
            return command(flags, **given)

        options = [_option(name, config) for name in wanted]
        parameters = [*own, *options]
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {one.name: one.annotation for one in parameters}
        call.__doc__ = command.__doc__
        call.__name__ = command.__name__
        return call

    return decorate


def _option(name: str, config: type[BaseModel]) -> inspect.Parameter:
    field = config.model_fields[name]
    flag = f"--{name.replace('_', '-')}"
    boolean = field.annotation is bool
    shown = "" if field.default is None or field.default == "" else f" [default: {field.default}]"
    option = typer.Option(
        f"{flag}/--no-{flag[2:]}" if boolean else flag,
        help=f"{field.description}{shown}",
        show_default=False,
        metavar=None if boolean else _metavar(field.annotation),
        autocompletion=None if boolean else completer_of(name, field.annotation),
    )
    kind: Any = bool if boolean else str
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _metavar(annotation: Any) -> str:
    text = str(annotation)
    for kind, shown in (("int", "N"), ("float", "X"), ("Path", "PATH")):
        if kind in text:
            return shown
    return "TEXT"


def environment_help() -> str:
    """One sentence on the other ways to set a flag."""
    return f"Each flag is also an entry of ablation.toml and a variable {PREFIX}<FLAG>."
