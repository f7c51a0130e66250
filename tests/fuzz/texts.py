"""Targets that are texts: selections, search spaces, configuration, source code."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from harness.config import AUTO, load_config
from harness.graphs.code import c, python, tokens
from harness.graphs.code.c_process import CReader
from harness.graphs.code.graph import UnreadableCodeError
from harness.matrix import code
from harness.selection import parse_list, write
from harness.tuning.space import parse_space
from tests.fuzz.mutate import mutate_bytes, mutate_json
from tests.fuzz.target import PARSING, Prepared, Target, one_file

if TYPE_CHECKING:
    from pathlib import Path

MAX_NODES = 10_000
NUM_TOKENS = 256

_C = b"""static int copy(char *to, const char *from, size_t n) {
  /* no bound */ for (size_t i = 0; i < n; i++) { if (!from[i]) break; to[i] = from[i]; }
  return strlen("a\\"b") ? n : -1; }
template <class T> T f(T a) { return a<b<c>(d), x->y ? 0x1F : 'q'; }
"""
_PYTHON = b'''def f(a, *b, c=1, **d):
    """Text."""
    if not isinstance(a, int):
        raise TypeError(f"{a!r:>{c}}")
    with open("x") as g, h:
        return [x async for x in y if z] or {**d, "k": lambda: (yield)}
'''
_TOML = b"""data = "inverted_guard[limit=400]"
features = "amp[dtype=bf16],swa"
seeds = 10
learning_rate = 1e-3
batch_size = "auto"
timeout = 60.5
all_gates = true
[complexity]
lines = 200
factor = 1.5
[overrides.amp]
margin = 0.01
max_ratio = 1.05
"""
_ENVIRONMENT = b"""ABLATION_SEEDS=5
ABLATION_DATA=planted
ABLATION_LEARNING_RATE=1e-3
ABLATION_COMPLEXITY={"lines": 200, "factor": 1.5}
ABLATION_OVERRIDES={"amp": {"margin": 0.01, "lines": 3}}
ABLATION_ALL_GATES=yes
ABLATION_BATCH_SIZE=auto
"""
_FLAGS = {
    "data": "planted", "seeds": "5", "learning_rate": "1e-3", "batch_size": "auto",
    "all_gates": True, "out": "x", "overrides": {"amp": {"margin": 0.01}}, "policy": "claims",
}  # fmt: skip


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _selection(folder: Path) -> Prepared:
    path = folder / "text"

    def read() -> None:
        for selection in parse_list(_text(path)):
            assert parse_list(write(selection)) == [selection], "another one is read back"

    return one_file(path, b'amp[dtype=bf16]+swa[start=0.5,note="a \\"b\\", c"],gcn,x[a=none]', read)


def _space(folder: Path) -> Prepared:
    path = folder / "text"

    def read() -> None:
        entries = parse_space(_text(path))
        assert parse_space(",".join(map(str, entries))) == entries, "another one is read back"

    return one_file(
        path, b'learning_rate=1e-4..1e-2:log, hidden?=32|64|"a|b", swa.start=0..1:step=0.25', read
    )


def _settings(flags: dict[str, object], path: Path | None = None) -> None:
    config = load_config(flags, path)
    if config.batch_size != AUTO:
        assert config.training


def _toml(folder: Path) -> Prepared:
    path = folder / "ablation.toml"
    return one_file(path, _TOML, lambda: _settings({}, path))


def _environment(folder: Path) -> Prepared:
    path = folder / "variables"

    def read() -> None:
        lines = [line.partition("=") for line in _text(path).split("\n")]
        # No process can be given other names and values than these.
        given = {name: value for name, _, value in lines if name and "\0" not in name + value}
        real = os.environ
        # The C library never gives memory back that a variable has had.
        os.environ = {**real, **given}  # type: ignore[assignment] # noqa: B003
        try:
            _settings({})
        finally:
            os.environ = real  # noqa: B003

    return one_file(path, _ENVIRONMENT, read)


def _flags(folder: Path) -> Prepared:
    path = folder / "flags.json"

    def read() -> None:
        try:
            given = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return
        if isinstance(given, dict):
            _settings(given)

    return one_file(path, json.dumps(_FLAGS).encode(), read, mutate_json)


def _c(folder: Path) -> Prepared:
    path = folder / "code.c"
    reader = CReader("auto", MAX_NODES)

    def read() -> None:
        c.graph(reader.read(path.read_bytes()).tree, NUM_TOKENS)

    path.write_bytes(_C)
    return Prepared({path: mutate_bytes}, read, lambda: reader.__exit__(None, None, None))


def _python(folder: Path) -> Prepared:
    path = folder / "code.py"

    def read() -> None:
        for text in (path.read_bytes(), _text(path)):
            module = python.parse(text)
            for function in (module, *python.functions(module)):
                python.graph(python.read(function, MAX_NODES), NUM_TOKENS)

    return one_file(path, _PYTHON, read)


def _tokens(folder: Path) -> Prepared:
    path = folder / "code.txt"

    def read() -> None:
        tokens.graph(tokens.read(_text(path), MAX_NODES), NUM_TOKENS)

    return one_file(path, _C + _PYTHON, read)


def _plugin_text(folder: Path) -> Prepared:
    path = folder / "plugin.py"
    content = b"@register\nclass A(Feature):\n    name = 'a'\n" + _PYTHON

    def read() -> None:
        tree = code.parsed(path.read_bytes())
        if tree is not None:
            code.meaning(code.part_of(tree, "A", code.registered(tree).values()))
            code.beside_imports(tree)

    return one_file(path, content, read)


TARGETS = (
    Target("selection", _selection, names_place=False),
    Target("space", _space, names_place=False),
    Target("toml", _toml),
    Target("environment", _environment),
    Target("flags", _flags),
    Target("c", _c, (UnreadableCodeError,), seconds=PARSING),
    Target("python", _python, (UnreadableCodeError,)),
    Target("tokens", _tokens, (UnreadableCodeError,)),
    Target("plugin_text", _plugin_text, (RecursionError,)),
)
