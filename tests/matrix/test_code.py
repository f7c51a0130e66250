"""Two texts have one meaning if they differ in words and layout alone."""

from __future__ import annotations

import ast
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.matrix.code import beside_imports, meaning, parsed, part_of, registered

BASE = '''
def double(x):
    """Twice."""
    return x * 2
'''


def _meaning(text):
    return meaning(parsed(text.encode()).body)


@pytest.mark.parametrize(
    "other",
    [
        "def double(x):\n    return x * 2\n",
        '"""A module."""\n# why\ndef double(\n  x\n):\n  "Two times."\n  return (x * 2)  # 2\n',
        "def double(x):\r\n    pass\r\n    return x * 2\r\n",
        "def double(x):\n    return x * 2\n    '''said below'''\n",
    ],
)
def test_words_and_layout_mean_nothing(other):
    assert _meaning(other) == _meaning(BASE)


@pytest.mark.parametrize(
    "other",
    [
        BASE.replace("* 2", "* 3"),
        BASE.replace("* 2", "* 2.0"),
        BASE.replace("(x)", "(x=1)"),
        BASE.replace("def", "async def"),
        BASE.replace('"""Twice."""', "print('Twice.')"),
        f"import os\n{BASE}",
        f"{BASE}\ndouble.__doc__ = 'More.'\n",
    ],
)
def test_code_means_something(other):
    assert _meaning(other) != _meaning(BASE)


def test_a_string_that_is_a_value_is_code():
    assert _meaning("x = 'a'") != _meaning("x = 'b'")
    assert _meaning("def f():\n    return 'a'") != _meaning("def f():\n    return 'b'")


@given(st.sampled_from(["x = 1", "def f(a):\n    return a", "class A:\n    b = 2"]), st.text())
def test_any_docstring_can_stand_in_front(code, words):
    assert _meaning(f"{ast.unparse(ast.Expr(ast.Constant(words)))}\n{code}") == _meaning(code)


def test_what_is_no_python_is_none_and_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parsed(b"def f(:") is None
        assert parsed(b"x = 1\0") is None
        assert parsed(b"\xff\xfe") is None
        assert parsed(b"(" * 5000) is None
        assert parsed(b"x = '\\d'") is not None
        assert parsed("# coding: latin-1\nx = '\xe9'".encode("latin-1")) is not None


FEATURES = """
import helper

LIMIT = 3

def shared():
    return LIMIT

@register
class A(Feature):
    name: ClassVar[str] = "a"
    steps = 1

@harness.register
class B(A):
    name = "b"

@register
class C(Feature):
    name = computed()

class Plain:
    name = "plain"
"""


def test_the_features_of_a_file_are_known_by_their_written_names():
    assert registered(parsed(FEATURES.encode())) == {"a": "A", "b": "B"}


def _part(text, owner):
    return meaning(part_of(parsed(text.encode()), owner, {"A", "B", "C"}))


def test_a_class_stands_for_itself_with_what_all_share():
    changed = FEATURES.replace("computed()", "other()")
    assert _part(changed, "A") == _part(FEATURES, "A")
    assert _part(changed, "B") == _part(FEATURES, "B")
    assert _part(changed, "C") != _part(FEATURES, "C")
    for owner in "ABC":
        assert _part(FEATURES.replace("LIMIT = 3", "LIMIT = 4"), owner) != _part(FEATURES, owner)


def test_a_class_that_another_names_concerns_it_too():
    changed = FEATURES.replace("steps = 1", "steps = 2")
    assert _part(changed, "A") != _part(FEATURES, "A")
    assert _part(changed, "B") != _part(FEATURES, "B")
    assert _part(changed, "C") == _part(FEATURES, "C")
    named = FEATURES + "\nTABLE = [A]\n"
    assert _part(named.replace("steps = 1", "steps = 2"), "C") != _part(named, "C")


def test_an_init_that_only_imports_does_nothing_beside():
    text = '''"""A package."""
import importlib
from package import one
__all__ = ["one"]
for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
'''
    assert beside_imports(parsed(text.encode())) == []
    assert len(beside_imports(parsed(text.encode() + b"\ntorch.set_num_threads(1)\n"))) == 1
