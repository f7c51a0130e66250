"""Measures of a feature's file: read as text, against counts that can be checked by eye."""

from __future__ import annotations

import sys
import textwrap

import pytest

from harness.feature import FEATURES
from harness.gates.complexity import USUAL
from harness.matrix.measures import (
    cognitive_complexity,
    logical_lines,
    measure,
    new_dependencies,
)

BUILT_IN = [
    kind
    for name, kind in FEATURES
    if kind.__module__.startswith("features.")
]  # fmt: skip


def text(source):
    return textwrap.dedent(source)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("", 0),
        ('"""Only words."""\n# and a remark\n', 0),
        ("a = 1; b = 2", 2),
        ("call(\n    1,\n    2,\n)", 1),
        ("if a:\n    b = 1\nelif c:\n    b = 2\nelse:\n    b = 3", 5),
        ('class A:\n    """Words."""\n\n    x: int = 1\n\n    def f(self):\n        return 1', 4),
        ("try:\n    f()\nexcept E:\n    pass\nfinally:\n    g()", 4),
    ],
)
def test_a_logical_line_is_a_statement(source, lines):
    assert logical_lines(source) == lines


def test_layout_and_remarks_change_no_measure():
    short = "def f(a, b):\n    return g(a, b) if a and b else None\n"
    long = text('''
        """A module."""

        def f(
            a,  # one
            b,
        ):
            """Say why."""
            return (
                g(a, b)
                if a and b
                else None
            )
    ''')
    assert logical_lines(short) == logical_lines(long)
    assert cognitive_complexity(short) == cognitive_complexity(long)


def test_cognitive_complexity_grows_with_nesting():
    # Campbell 2018: +1 for a loop, +2 for the one in it, +3 for the condition, +1 for its jump.
    nested = text("""
        def f(rows):
            for row in rows:
                for one in row:
                    if one:
                        return one
            return None
    """)
    assert cognitive_complexity(nested) == 1 + 2 + 3
    flat = "def f(a):\n    if a:\n        g()\n    if a:\n        g()\n    if a:\n        g()\n"
    assert cognitive_complexity(flat) == 3


def test_a_remark_cannot_switch_the_count_off():
    body = "    if a:\n        if b:\n            g()\n"
    plain = cognitive_complexity(f"def f(a, b):\n{body}")
    assert plain == 3
    assert cognitive_complexity(f"def f(a, b):  # noqa: complexipy\n{body}") == plain
    assert cognitive_complexity(f"def f(a, b):  # complexipy: ignore\n{body}") == plain


def test_code_of_the_module_counts_too():
    assert cognitive_complexity("if a:\n    for b in c:\n        d(b)\n") == 3


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os\nfrom pathlib import Path", ()),
        ("import torch.nn as nn\nfrom torch_geometric import nn", ()),
        ("from sklearn.metrics import f1_score", ()),
        ("from harness import Feature\nfrom . import near\nfrom features import amp", ()),
        ("import left_pad", ("left-pad",)),
        ("def f():\n    import left_pad.deep", ("left-pad",)),
        ("try:\n    import left_pad\nexcept ImportError:\n    left_pad = None", ("left-pad",)),
        ("from zzz import a\nimport Left_Pad, zzz.b", ("left-pad", "zzz")),
        ("if TYPE_CHECKING:\n    import left_pad\nelse:\n    import zzz", ("zzz",)),
        ("import typing\nif typing.TYPE_CHECKING:\n    import left_pad", ()),
        ("import own_package.part", ()),
    ],
)
def test_a_dependency_is_what_neither_python_nor_the_project_brings(source, found):
    assert new_dependencies([source], {"own_package"}) == found


def test_an_installed_package_that_the_project_does_not_name_is_one():
    # pytest is a development tool, no dependency of the project.
    assert new_dependencies(["import pytest"]) == ("pytest",)


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.name)
def test_built_in_features_are_within_the_usual_budget(kind):
    found = measure([kind])
    assert 0 < found.lines <= USUAL.lines
    assert found.cognitive <= USUAL.cognitive
    assert 0 < len(found.hooks) <= USUAL.hooks
    assert found.hooks == kind.hooks()
    assert found.dependencies == ()


def test_features_in_one_file_are_told_apart_and_share_the_rest():
    first, second = (FEATURES.get(name) for name in ("planted_noop", "planted_sleep"))
    one, two, both = measure([first]), measure([second]), measure([first, second])
    assert one.hooks == ()
    assert two.lines > one.lines
    assert max(one.lines, two.lines) < both.lines < one.lines + two.lines
    assert both.features == 2


def test_nothing_is_imported_to_be_measured():
    assert new_dependencies(["import antigravity, this_is_nowhere"]) == ("this-is-nowhere",)
    assert "antigravity" not in sys.modules
