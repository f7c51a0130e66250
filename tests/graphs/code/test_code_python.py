from __future__ import annotations

import ast
import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.graphs.code import python
from harness.graphs.code.graph import MAX_TEXT_BYTES, UnreadableCodeError


def nodes_of(text: str) -> list[str]:
    tree = python.read(python.parse(text).body[0], 1000)
    return [python.NODE_TYPES[kind - 1] for kind in tree.kind]


def edges_by_name(text: str) -> set[tuple[str, str]]:
    """Edges as pairs of ``Kind:text``; texts must be unique for the pairs to be told apart."""
    tree = python.read(python.parse(text).body[0], 1000)
    shown = [
        f"{python.NODE_TYPES[kind - 1]}:{label}"
        for kind, label in zip(tree.kind, tree.text, strict=True)
    ]
    graph = python.graph(tree, 1024)
    return {
        (shown[source], shown[target])
        for source, target in zip(graph.edge_source, graph.edge_target, strict=True)
    }


def test_nodes_stand_in_source_order_without_contexts():
    assert nodes_of("def f(a):\n    return a.b == 1") == [
        *("FunctionDef", "arguments", "arg", "Return", "Compare", "Attribute", "Name", "Eq"),
        "Constant",
    ]


def test_edges_are_child_next_sibling_next_use_and_statement():
    assert edges_by_name("def f(a):\n    return a.b") == {
        # child
        ("FunctionDef:<root>", "arguments:<args>"),
        ("FunctionDef:<root>", "Return:<body>"),
        ("arguments:<args>", "arg:a"),
        ("Return:<body>", "Attribute:.b"),
        ("Attribute:.b", "Name:a"),
        # next sibling
        ("arguments:<args>", "Return:<body>"),
        # next use
        ("arg:a", "Name:a"),
        # statement, beside the child edge to the attribute
        ("Return:<body>", "Name:a"),
    }


def test_a_name_belongs_to_the_innermost_statement_and_none_to_the_function():
    tree = python.read(
        python.parse("@d\ndef f(p=q):\n    if a:\n        b.c = e\n    def g(h): pass").body[0], 100
    )
    edges = {
        (python.NODE_TYPES[tree.kind[statement] - 1], tree.text[use])
        for statement, use in python.statement_edges(tree).T.tolist()
    }
    assert edges == {("If", "a"), ("Assign", "b"), ("Assign", ".c"), ("Assign", "e")}


def test_a_text_is_what_is_written_or_the_role_in_the_parent():
    tree = python.read(python.parse("from m import n\nf(x.y, k='v', **z)\n"), 100)
    assert tree.text == [
        *("<root>", "<body>", "n", "<body>", "<value>", "f", ".y", "x", "=k", "'v'", "=None", "z"),
    ]
    tree = python.read(python.parse("if not a: raise\nelse: pass").body[0], 100)
    assert tree.text == ["<root>", "<test>", "<op>", "a", "<body>", "<orelse>"]


def test_every_kind_of_syntax_of_this_interpreter_has_an_id():
    base = {
        "AST", "Expression", "FunctionType", "Interactive", "Load", "Store", "Del", "TypeIgnore",
        "alias", "mod", "stmt", "expr", "expr_context", "boolop", "operator", "unaryop", "cmpop",
        "excepthandler", "pattern", "type_ignore", "type_param",
    }  # fmt: skip
    old = {
        "Num", "Str", "Bytes", "NameConstant", "Ellipsis", "slice", "Index", "ExtSlice", "Suite",
        "AugLoad", "AugStore", "Param",
    }  # fmt: skip
    kinds = {
        name
        for name, kind in vars(ast).items()
        if isinstance(kind, type) and issubclass(kind, ast.AST) and not name.startswith("_")
    }
    assert kinds - base - old <= set(python.NODE_TYPES)
    assert len(set(python.NODE_TYPES)) == len(python.NODE_TYPES) < python.NUM_TYPES


def test_ids_are_what_they_were():
    # Stored data sets and trained models hold these numbers: names are appended, never moved.
    ids = {name: place for place, name in enumerate(python.NODE_TYPES, start=1)}
    known = {"Module": 1, "FunctionDef": 2, "If": 13, "Raise": 17, "Name": 52, "Interpolation": 106}
    assert {name: ids[name] for name in known} == known


def test_layout_comments_and_names_of_functions_make_no_other_key():
    one, other = (
        python.read(python.parse(text).body[0], 100).key()
        for text in ("def f(a):\n  return (a)", "def g(a):  # why\n\n    return a\n")
    )
    assert one == other
    changed = python.read(python.parse("def f(a):\n  return [a]").body[0], 100).key()
    assert changed != one


def test_a_text_may_be_indented_as_a_whole():
    assert nodes_of("\n    def f():\n        pass\n") == ["FunctionDef", "arguments", "Pass"]
    text = '    def f():\n        return """\nflush left\n"""\n'
    assert "Constant" in nodes_of(text)


def test_functions_are_the_outermost_ones_wherever_they_stand():
    text = (
        "def a():\n    def inner(): pass\n"
        "class C:\n    def b(self): pass\n    class D:\n        async def c(self): pass\n"
        "if x:\n    def d(): pass\nelse:\n    def e(): pass\n"
        "try:\n    def g(): pass\nexcept E:\n    def h(): pass\nfinally:\n    def i(): pass\n"
        "with x:\n    def j(): pass\n"
        "match x:\n    case 1:\n        def k(): pass\n"
        "y = lambda: 0\n"
    )
    assert [function.name for function in python.functions(ast.parse(text))] == list("abcdeghijk")


@pytest.mark.parametrize(
    "text",
    [
        "def f(:",
        "\0",
        "(" * 5000,
        "-" * 100_000 + "1",
        "x" + ".y" * 100_000,
        "if a:\n" * 200,
        "print 'old'",
        "1" * 5000,
        "\ud800",
        "x" * (MAX_TEXT_BYTES + 1),
        b"\xff\xfe",
        "a" + "\n  b" * 3,
    ],
)
def test_what_is_no_python_is_unreadable_and_nothing_worse(text):
    with pytest.raises(UnreadableCodeError):
        python.parse(text)


def test_a_deep_tree_is_read_without_recursion():
    node: ast.expr = ast.Name("x", ast.Load())
    for _ in range(50_000):
        node = ast.UnaryOp(ast.Not(), node)
    assert len(python.read(node, 200_000)) == 100_001
    while isinstance(node, ast.UnaryOp):  # freed from the outside in, or freeing it recurses
        node = node.operand


def test_a_tree_that_is_too_large_is_unreadable():
    tree = python.parse("x = [" + "1, " * 100 + "]")
    with pytest.raises(UnreadableCodeError, match="more than 50 nodes"):
        python.read(tree, 50)
    assert len(python.read(tree, 105)) == 105 - 1


def test_huge_and_odd_literals_have_texts():
    tree = python.read(python.parse(f"x = (0x{'f' * 6000}, 'é\ud7ff', b'\\0', 1j, ..., None)"), 100)
    assert tree.text[4] == "0x" + "f" * 38
    assert tree.text[5:] == [r"'\xe9\ud7ff'", r"b'\x00'", "1j", "Ellipsis", "None"]


def test_warnings_of_what_is_read_are_not_shown_and_collection_goes_on():
    assert gc.isenabled()
    python.parse("x = '\\d'\nassert (1, 2)\nx is 1")
    with pytest.raises(UnreadableCodeError):
        python.parse("def")
    assert gc.isenabled()


@settings(max_examples=200)
@given(st.text(alphabet="ab01:=()[]{}.,'\"\\#\n\t ifdeflambdayieldawait*-@é\0") | st.binary())
def test_any_text_is_read_or_unreadable(text):
    try:
        module = python.parse(text)
    except UnreadableCodeError:
        return
    tree = python.read(module, 10_000)
    graph = python.graph(tree, 64)
    assert len(graph) == len(tree) >= 1
