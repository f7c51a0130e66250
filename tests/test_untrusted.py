"""No pickle and no evaluation of what is read: the source is searched for every way to do it.

Found by the syntax tree, whatever a module is called where it is imported. What may stand is named
below with its reason: pipes between processes that the harness itself forked.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for room in ("harness", "features", "benchmarks", "docs")
    for path in (ROOT / room).rglob("*.py")
)

# Modules whose loading runs what is loaded, or is pickle by another name; and tar archives, which
# unfold to any size.
BAD_MODULES = {
    "pickle", "_pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve", "joblib",
    "jsonpickle", "torch.package", "code", "codeop", "tarfile",
}  # fmt: skip
BAD_CALLS = {"eval", "exec", "compile", "__import__"}
# Calls that are safe with one argument and unsafe without.
GUARDED = {
    "torch.load": ("weights_only", True),
    "torch.jit.load": None,
    "torch.hub.load": None,
    "torch.serialization.load": None,
    "numpy.load": ("allow_pickle", False),
    "numpy.fromfile": None,
    "pandas.read_pickle": None,
    "yaml.load": None,
    "yaml.unsafe_load": None,
    "yaml.full_load": None,
    "subprocess.run": ("shell", False),
    "os.system": None,
    "os.popen": None,
}

ALLOWED = {
    # What a rank or a forked fit sends back goes through a pipe to the process that started it.
    ("harness/training/ranks.py", "pickle"): {"dumps", "loads"},
    ("harness/training/parallel.py", "pickle"): {"dumps", "loads"},
    # Only the error that torch raises for what weights_only refuses.
    ("harness/training/checkpoint.py", "pickle"): {"UnpicklingError"},
    ("features/param_groups.py", "pickle"): {"UnpicklingError"},
}


def _aliases(tree):
    """What each name at hand stands for, by full dotted name."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                found[one.asname or one.name.partition(".")[0]] = (
                    one.name if one.asname else one.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return found


def _dotted(node, aliases):
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([aliases.get(node.id, node.id), *reversed(parts)])


def problems(text, place="x.py"):
    """Every use of what could run code out of data, as ``line: what``."""
    tree = ast.parse(text)
    aliases = _aliases(tree)
    found = []
    for name, what in aliases.items():
        module = next((bad for bad in BAD_MODULES if f"{what}.".startswith(f"{bad}.")), None)
        if module is None:
            continue
        used = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == name
        }
        allowed = ALLOWED.get((place, module))
        if allowed is None or what != module or not used <= allowed:
            found.append(f"{place}: {what}")
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = _dotted(node.func, aliases)
        where = f"{place}:{node.lineno}: {called}"
        bad = called.removeprefix("builtins.") in BAD_CALLS
        if bad or (called in GUARDED and not _guarded(node, GUARDED[called])):
            found.append(where)
    return found


def _guarded(call, wanted):
    if wanted is None:
        return False
    name, value = wanted
    given = {one.arg: one.value for one in call.keywords}
    if None in given:  # **values can hold anything
        return False
    if name not in given:
        return name == "shell"
    return isinstance(given[name], ast.Constant) and given[name].value is value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_that_is_read_can_run(path):
    assert problems(path.read_text("utf-8"), path.relative_to(ROOT).as_posix()) == []


@pytest.mark.parametrize(
    "text",
    [
        "import torch\ntorch.load(x)",
        "import torch as t\nt.load(x, weights_only=False)",
        "from torch import load as read\nread(x)",
        "import torch\ntorch.load(x, **more)",
        "import torch\ntorch.load(x, weights_only=safe)",
        "import numpy as np\nnp.load(x, allow_pickle=True)",
        "import numpy as np\nnp.load(x)",
        "import pickle",
        "import pickle as p\np.loads(x)",
        "from pickle import loads",
        "def f():\n    import marshal\n    return marshal.loads(x)",
        "import joblib\njoblib.load(x)",
        "import pandas as pd\npd.read_pickle(x)",
        "import yaml\nyaml.load(x)",
        "eval(x)",
        "exec(x)",
        "import builtins\nbuiltins.eval(x)",
        "import subprocess\nsubprocess.run(x, shell=True)",
        "import os\nos.system(x)",
    ],
)
def test_each_way_is_found(text):
    assert problems(text)


@pytest.mark.parametrize(
    "text",
    [
        "import torch\ntorch.load(x, weights_only=True)",
        "import numpy as np\nnp.load(x, allow_pickle=False)",
        "model.eval()",
        "import re\nre.compile(x)",
        "import yaml\nyaml.safe_load(x)",
    ],
)
def test_what_is_safe_is_left_alone(text):
    assert problems(text) == []


def test_the_exceptions_are_still_needed():
    for place, module in ALLOWED:
        assert f"import {module}" in (ROOT / place).read_text("utf-8")
