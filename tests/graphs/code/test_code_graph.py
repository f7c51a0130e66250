from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.graphs.code.graph import (
    SyntaxTree,
    child_edges,
    join,
    next_leaf_edges,
    next_use_edges,
    sibling_edges,
    token_id,
)


@st.composite
def trees(draw, max_size: int = 40):
    """Trees (or forests) in pre-order."""
    tree = SyntaxTree()
    path: list[int] = []
    for _ in range(draw(st.integers(1, max_size))):
        depth = draw(st.integers(0, len(path)))
        path = path[:depth]
        name = draw(st.sampled_from(["", "", "x", "y"]))
        place = tree.add(draw(st.integers(0, 5)), path[-1] if path else -1, name, name)
        path.append(place)
    return tree


def pairs(edges) -> list[tuple[int, int]]:
    return sorted(map(tuple, np.asarray(edges).T.tolist()))


@given(trees())
def test_edges_are_their_definitions(tree):
    count = range(len(tree))
    children = {parent: [node for node in count if tree.parent[node] == parent] for parent in count}
    assert pairs(child_edges(tree)) == sorted((p, c) for p in count for c in children[p])
    siblings = [pair for p in count for pair in pairwise(children[p])]
    assert pairs(sibling_edges(tree)) == sorted(siblings)
    leaves = [node for node in count if not children[node]]
    assert pairs(next_leaf_edges(tree)) == list(pairwise(leaves))
    uses = [
        (node, later)
        for node in count
        for later in count
        if tree.name[node]
        and node < later
        and tree.name[node] == tree.name[later]
        and tree.name[node] not in tree.name[node + 1 : later]
    ]
    assert pairs(next_use_edges(tree)) == sorted(uses)


@given(trees(), st.integers(2, 50))
def test_a_joined_graph_holds_each_edge_once_and_forward(tree, num_tokens):
    edges = [child_edges(tree), sibling_edges(tree), next_leaf_edges(tree), next_use_edges(tree)]
    graph = join(tree, edges, num_tokens)
    assert len(graph) == len(tree)
    stored = list(zip(graph.edge_source.tolist(), graph.edge_target.tolist(), strict=True))
    assert stored == sorted({pair for kind in edges for pair in pairs(kind)})
    assert all(source < target for source, target in stored)
    assert graph.node_type.tolist() == tree.kind
    for text, token in zip(tree.text, graph.node_token.tolist(), strict=True):
        assert 0 <= token < num_tokens
        assert (token == 0) == (text == "")


def test_an_empty_tree_is_an_empty_graph():
    graph = join(SyntaxTree(), [child_edges(SyntaxTree()), next_use_edges(SyntaxTree())], 10)
    assert len(graph) == len(graph.edge_source) == 0


@given(trees(), trees())
def test_the_key_tells_trees_apart_by_what_they_show(one, other):
    shown = [(tree.kind, tree.parent, tree.text) for tree in (one, other)]
    assert (one.key() == other.key()) == (shown[0] == shown[1])


def test_a_token_is_the_same_in_every_process():
    code = "from harness.graphs.code.graph import token_id; print(token_id('free', 1024))"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert found == {f"{token_id('free', 1024)}\n".encode()}


@given(st.text(), st.integers(2, 1 << 16))
def test_tokens_stay_in_their_vocabulary(text, num_tokens):
    assert (0 if text == "" else 1) <= token_id(text, num_tokens) < num_tokens or text == ""
