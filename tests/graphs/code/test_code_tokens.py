from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.graphs.code import tokens
from harness.graphs.code.graph import MAX_TEXT_BYTES, UnreadableCodeError


def lexed(text: str) -> list[tuple[str, str]]:
    tree = tokens.read(text, 10_000)
    kinds = [tokens.TOKEN_TYPES[kind - 1] for kind in tree.kind]
    return list(zip(kinds, tree.text, strict=True))


def test_the_rules_are_those_of_c():
    text = 'if (p->n_1 <<= 0x1Fu + 1.5e-3) /* "no" */ f("a\\"b", \'\\\'\', ...); // end'
    assert lexed(text) == [
        *(("name", "if"), ("other", "("), ("name", "p"), ("operator", "->"), ("name", "n_1")),
        *(("operator", "<<="), ("number", "0x1Fu"), ("operator", "+"), ("number", "1.5e-3")),
        *(("other", ")"), ("name", "f"), ("other", "("), ("string", '"a\\"b"'), ("other", ",")),
        *(("character", "'\\''"), ("other", ","), ("operator", "..."), ("other", ")")),
        ("other", ";"),
    ]


def test_edges_join_neighbours_and_uses_of_a_name():
    tree = tokens.read("a + b * a", 100)
    graph = tokens.graph(tree, 100)
    edges = list(zip(graph.edge_source.tolist(), graph.edge_target.tolist(), strict=True))
    assert edges == [(0, 1), (0, 4), (1, 2), (2, 3), (3, 4)]


def test_what_is_not_closed_ends_with_its_line_or_text():
    assert lexed('"open\nx') == [("string", '"open'), ("name", "x")]
    assert lexed("'open\nx") == [("character", "'open"), ("name", "x")]
    assert lexed("x /* open") == [("name", "x")]


@settings(max_examples=300)
@given(st.text())
def test_every_visible_sign_outside_of_comments_is_in_a_token(text):
    text = text.replace("/", "")
    spans = [match.group() for match in tokens._TOKEN.finditer(text)]
    assert "".join(spans) == text
    shown = [span for span in spans if not span.isspace()]
    assert [piece[:40] for piece in shown] == [piece for _, piece in lexed(text)]


@pytest.mark.parametrize(
    "unit", ['"\\', "'\\", "/*", "*/", '"', "'", ".", "1e", "a", "\\", "/", " "]
)
def test_hostile_texts_take_linear_time(unit):
    start = time.process_time()
    text = unit * (MAX_TEXT_BYTES // len(unit))
    tokens.read(text, MAX_TEXT_BYTES + 1)
    assert time.process_time() - start < 10


def test_bounds_are_kept():
    with pytest.raises(UnreadableCodeError, match="longer than 1 MiB"):
        tokens.read("x" * (MAX_TEXT_BYTES + 1), 10)
    with pytest.raises(UnreadableCodeError, match="more than 10 nodes"):
        tokens.read("x " * 11, 10)
    assert len(tokens.read("x " * 10, 10)) == 10
    assert len(tokens.read(" /* only */ // comments", 10)) == 0
