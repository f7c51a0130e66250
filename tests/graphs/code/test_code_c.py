from __future__ import annotations

import pytest
import tree_sitter_c
import tree_sitter_cpp
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_sitter import Language

from harness.graphs.code import c, c_types
from harness.graphs.code.graph import MAX_TEXT_BYTES, UnreadableCodeError

NAMES = dict(enumerate(c_types.NODE_TYPES, start=1))


def read(text: str, dialect: c.Dialect = "auto", max_nodes: int = 10_000) -> c.CFunction:
    return c.CParser(dialect).read(text.encode("utf-8", "replace"), max_nodes)


def shown(text: str, dialect: c.Dialect = "auto") -> list[str]:
    tree = read(text, dialect).tree
    return [
        f"{NAMES[kind]} {label}".strip() for kind, label in zip(tree.kind, tree.text, strict=True)
    ]


def test_nodes_stand_in_source_order_without_comments_and_punctuation():
    assert shown("int f(char *p) { /* no */ return p->n != 0x1F; }") == [
        "translation_unit",
        "function_definition",
        "primitive_type int",
        "function_declarator",
        "identifier f",
        "parameter_list",
        "parameter_declaration",
        "primitive_type char",
        "pointer_declarator",
        "identifier p",
        "compound_statement",
        "return_statement",
        "binary_expression !=",
        "field_expression ->",
        "identifier p",
        "field_identifier .n",
        "number_literal 0x1F",
    ]


def test_edges_are_child_next_leaf_and_next_use():
    function = read("int f(int a) { return a; }")
    names = [f"{NAMES[kind]} {text}" for kind, text in zip(
        function.tree.kind, function.tree.text, strict=True
    )]  # fmt: skip
    graph = c.graph(function.tree, 1024)
    edges = {
        (names[s], names[t]) for s, t in zip(graph.edge_source, graph.edge_target, strict=True)
    }
    assert ("return_statement ", "identifier a") in edges, "child"
    assert ("primitive_type int", "identifier f") in edges, "next leaf"
    first = [place for place, name in enumerate(names) if name == "identifier a"]
    assert len(first) == 2
    stored = list(zip(graph.edge_source.tolist(), graph.edge_target.tolist(), strict=True))
    assert (first[0], first[1]) in stored, "next use"


def test_literals_and_types_are_leaves_with_their_text():
    assert shown('unsigned long s[] = {"a\\n" , \'c\', L"w"};')[2:] == [
        "sized_type_specifier unsigned long",
        "init_declarator",
        "array_declarator",
        "identifier s",
        "initializer_list",
        'string_literal "a\\n"',
        "char_literal 'c'",
        'string_literal L"w"',
    ]


def test_the_dialect_with_fewer_errors_is_taken():
    assert "class_specifier" in shown("class A { int x; };")
    old = "void f(void) { x = new + 1; }"
    assert "ERROR" in [name.split()[0] for name in shown(old, "cpp")]
    assert "ERROR" not in [name.split()[0] for name in shown(old)]
    assert shown(old) == shown(old, "c")


def test_ids_are_what_they_were_and_cover_both_grammars():
    # Stored data sets and trained models hold these numbers: names are appended, never moved.
    ids = {name: place for place, name in NAMES.items()}
    known = {"abstract_array_declarator": 1, "identifier": 86, "while_statement": 207, "ERROR": 208}
    assert {name: ids[name] for name in known} == known
    assert len(ids) == len(c_types.NODE_TYPES) < c_types.NUM_TYPES - 16
    for grammar in (tree_sitter_c, tree_sitter_cpp):
        language = Language(grammar.language())
        kinds = {
            language.node_kind_for_id(number)
            for number in range(language.node_kind_count)
            if language.node_kind_is_named(number) and language.node_kind_is_visible(number)
        }
        assert kinds - set(ids) == {"comment"}


@given(st.text(min_size=1))
def test_kinds_without_a_place_share_the_last_ids(name):
    number = c_types.type_id(f"no such kind {name}")
    assert c_types.NUM_TYPES - 16 <= number < c_types.NUM_TYPES


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("static int f(void) { return g(); }", "f"),
        ("void A::b(int x) { }", "A::b"),
        ("A::~A() { }", "A::~A"),
        ("char *g(void) { }", "g"),
        ("TEST_F(Suite,\n Case) { g(); }", "TEST_F(Suite, Case)"),
        ("int x = 3;", ""),
        ("", ""),
        ("template <class T> T h(T t) { return t; }", "h"),
    ],
)
def test_a_function_is_known_by_its_name(text, name):
    assert read(text).name == name


def test_layout_and_comments_make_no_other_key():
    one, other, third = (
        read(text).tree.key()
        for text in ("int f(){return 1;}", "int f ( ) {\n// x\n return 1 ; }", "int f(){return 2;}")
    )
    assert one == other != third


def test_a_deep_text_is_read_without_recursion():
    assert len(read("int x = " + "(" * 20_000 + "1" + ")" * 20_000 + ";", "c", 10**6).tree) > 20_000


def test_bounds_are_kept():
    with pytest.raises(UnreadableCodeError, match="more than 5 nodes"):
        read("int f(int a, int b) {}", max_nodes=5)
    with pytest.raises(UnreadableCodeError, match="longer than 1 MiB"):
        read("x" * (MAX_TEXT_BYTES + 1))


def test_a_parse_that_takes_too_long_is_stopped_and_the_parser_goes_on(monkeypatch):
    monkeypatch.setattr(c, "MAX_SECONDS", 0.0)
    parser = c.CParser("c")
    with pytest.raises(UnreadableCodeError, match="too long to parse"):
        parser.read(b"int f(void) { return 1; }" * 1000, 10**6)
    monkeypatch.undo()
    assert parser.read(b"int f(void) { }", 100).name == "f"


@settings(max_examples=200)
@given(st.text(alphabet="ab01;:=(){}[]<>*&.,#\"'\\\n ifelsretun/é\0", max_size=80) | st.text())
def test_any_text_gives_a_tree(text):
    tree = read(text).tree
    graph = c.graph(tree, 64)
    assert len(graph) == len(tree) >= 1
    assert graph.node_type.max() < c_types.NUM_TYPES
