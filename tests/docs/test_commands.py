"""Every command line of the documentation is accepted by the real command line."""

from __future__ import annotations

import pytest
import typer

from harness.cli.app import app
from harness.cli.train import TRAINING_FLAGS
from harness.config import TABLES, RunConfig, load_config
from harness.selection import parse, parse_list, parse_single
from tests.docs.blocks import PAGES, ROOT, TOURS, commands

ROOT_COMMAND = typer.main.get_command(app)
LINES = [
    pytest.param(words, id=f"{page.relative_to(ROOT)}: {' '.join(words)}")
    for page in PAGES
    for words in commands(page)
]


def _parse(words):
    """Let the command that the first words name parse the others; gives its context."""
    command, left = ROOT_COMMAND, list(words)
    while hasattr(command, "commands"):
        name = left.pop(0)
        if name not in command.commands:
            raise ValueError(f"No such command: {name}")
        command = command.commands[name]
    return command.make_context(name, left)


@pytest.mark.parametrize("words", LINES)
def test_a_command_line_is_accepted(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = _parse(words).params
    # train and tune have flags of their own by the names of others'.
    shared = TRAINING_FLAGS if words[0] in ("train", "tune") else RunConfig.model_fields
    settings = load_config({name: given.get(name) for name in shared if name not in TABLES})
    parse_list(settings.models)
    if settings.features != "all":
        parse_list(settings.features)
    if isinstance(given.get("model"), str):
        parse_single(given["model"])
    parse(settings.baseline)


def test_there_are_command_lines_in_every_tour():
    assert len(LINES) > 30
    assert len(TOURS) == 7
    assert all(list(commands(page)) for page in TOURS)


def test_what_is_wrong_is_refused():
    for words in (["run", "--what"], ["rum"], ["merge", "a"], ["report"]):
        with pytest.raises(Exception, match=r"No such|Missing"):
            _parse(words)
