"""The quick start explains every flag of ``ablate run`` and ``ablate train`` as it is."""

from __future__ import annotations

import typer
from tabulate import tabulate

from harness.cli.app import app
from harness.cli.train import TRAINING_FLAGS
from harness.config import PRESETS, TABLES, Preset, RunConfig
from harness.settings import TrainingSettings
from tests.docs.blocks import ROOT

PAGE = ROOT / "docs/TRAINING_QUICK_START.md"
RUN, TRAIN = (typer.main.get_command(app).commands[name] for name in ("run", "train"))


def _default(name):
    value = RunConfig.model_fields[name].default
    if value is None:
        preset = PRESETS[Preset.QUICK].get(name)
        value = TrainingSettings.model_fields[name].default if preset is None else preset
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _shared():
    for name, field in RunConfig.model_fields.items():
        if name not in TABLES:
            train = "yes" if name in TRAINING_FLAGS else ""
            yield [f"`--{name.replace('_', '-')}`", _default(name), train, field.description]


def _own(command, left_out):
    for parameter in command.params:
        if parameter.name not in (*left_out, "help"):
            default = "" if isinstance(parameter.default, bool) else str(parameter.default)
            yield [f"`{parameter.opts[0]}`", default, parameter.help]


def _between(text, name):
    return text.split(f"<!-- {name} -->\n")[1].split(f"<!-- end of {name} -->")[0].strip()


def test_every_flag_is_explained():
    shared = list(_shared())
    train = list(_own(TRAIN, TRAINING_FLAGS))
    assert {row[0] for row in shared} | {"`--config`", "`--quiet`", "`--json`"} == {
        f"`{one.opts[0]}`" for one in RUN.params if one.name != "help"
    }
    text = PAGE.read_text("utf-8")
    for name, rows, headers in (
        ("flags", shared, ("flag", "default", "train, tune", "what it is")),
        ("train", train, ("flag", "default", "what it is")),
    ):
        wanted = tabulate(rows, headers, tablefmt="github", disable_numparse=True)
        assert _between(text, name) == wanted, f"put this between its marks:\n{wanted}"
