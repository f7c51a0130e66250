from __future__ import annotations

import ast

import pytest

from harness.graphs.sources.guards import (
    inverted,
    invertible_guards,
    is_guard,
    without_docstring,
)


def function(body: str) -> ast.FunctionDef:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    node = ast.parse(f"def f(a, b):\n{lines}").body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def versions(body: str) -> list[str]:
    """The function with each of its invertible guards inverted, one at a time."""
    found = []
    for place in range(len(invertible_guards(function(body)))):
        node = function(body)
        invertible_guards(node)[place]()
        found.append(ast.unparse(ast.fix_missing_locations(node)))
    return found


def unparsed(body: str) -> str:
    return ast.unparse(function(body))


@pytest.mark.parametrize(
    ("body", "guard"),
    [
        ("if a:\n    raise E", True),
        ("if a: raise", True),
        ("if a:\n    raise E('x') from b", True),
        ("if a:\n    raise E\nelse:\n    pass", False),
        ("if a:\n    raise E\nelif b:\n    pass", False),
        ("if a:\n    b()\n    raise E", False),
        ("if a:\n    return", False),
        ("if a:\n    pass", False),
        ("while a:\n    raise E", False),
        ("assert a", False),
        ("raise E", False),
    ],
)
def test_a_guard_is_an_if_without_else_whose_body_is_one_raise(body, guard):
    assert is_guard(function(body).body[0]) is guard


@pytest.mark.parametrize(
    ("test", "opposite"),
    [
        ("not a", "a"),
        ("not (a and b)", "a and b"),
        ("not not a", "not a"),
        ("a is b", "a is not b"),
        ("a is not None", "a is None"),
        ("a == b", "a != b"),
        ("a.x != b[0]", "a.x == b[0]"),
        ("a in b", "a not in b"),
        ("a not in {1, 2}", "a in {1, 2}"),
        ("f(a)", "not f(a)"),
        ("a.b.c(1)(2)", "not a.b.c(1)(2)"),
        ("a", None),
        ("a.b", None),
        ("a < b", None),
        ("a <= b", None),
        ("a > b", None),
        ("a >= b", None),
        ("a == b == 1", None),
        ("a and not b", None),
        ("a or b", None),
        ("-a", None),
        ("~a", None),
        ("(a := b)", None),
        ("True", None),
        ("a if b else f()", None),
        ("[a]", None),
        ("lambda: a", None),
    ],
)
def test_exactly_these_tests_have_an_opposite(test, opposite):
    found = inverted(ast.parse(test, mode="eval").body)
    shown = None if found is None else ast.unparse(ast.fix_missing_locations(found))
    assert shown == opposite


def test_one_guard_at_a_time_is_inverted_and_the_rest_stays():
    body = "if a is None:\n    raise E\nif not b:\n    raise F\nreturn a"
    assert versions(body) == [
        unparsed("if a is not None:\n    raise E\nif not b:\n    raise F\nreturn a"),
        unparsed("if a is None:\n    raise E\nif b:\n    raise F\nreturn a"),
    ]


def test_guards_are_found_wherever_statements_stand_in_source_order():
    body = (
        "for x in a:\n    if x == 1: raise E\nelse:\n    if x == 2: raise E\n"
        "while b:\n    if x == 3: raise E\n"
        "try:\n    if x == 4: raise E\nexcept E:\n    if x == 5: raise E\n"
        "else:\n    if x == 6: raise E\nfinally:\n    if x == 7: raise E\n"
        "with a:\n    if x == 8: raise E\n"
        "match a:\n    case 1:\n        if x == 9: raise E\n"
        "def g():\n    if x == 10: raise E\n"
        "class C:\n    if x == 11: raise E\n"
        "if a:\n    if x == 12: raise E\n"
        "elif x == 13:\n    raise E\n"
    )
    found = versions(body)
    assert len(found) == 13
    for number, version in enumerate(found, start=1):
        assert f"x != {number}:" in version
        assert version.count("!=") == 1


def test_what_is_no_guard_or_cannot_be_inverted_gives_nothing():
    assert (
        versions("if a < b:\n    raise E\nif a:\n    raise E\nif not a:\n    return\nx = f(a)")
        == []
    )


def test_finding_guards_changes_nothing():
    node = function("if f(a):\n    raise E")
    before = ast.dump(node)
    invertible_guards(node)
    assert ast.dump(node) == before


def test_a_docstring_goes_and_a_function_is_never_empty():
    node = function("'doc'\nreturn a")
    without_docstring(node)
    assert ast.unparse(node.body[0]) == "return a"
    node = function("'doc'")
    without_docstring(node)
    assert isinstance(node.body[0], ast.Pass)
    node = function("f('not one')")
    without_docstring(node)
    assert ast.unparse(node.body[0]) == "f('not one')"
