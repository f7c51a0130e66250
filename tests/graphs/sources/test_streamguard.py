from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.graphs.batch import collate
from harness.graphs.code import tokens
from harness.graphs.code.graph import token_id
from harness.graphs.dataset import save, verify
from harness.graphs.sources.base import silent
from harness.graphs.sources.streamguard import StreamGuard
from harness.hashing import bucket

NODES = ["Function", "Block", "Call", "Block"]
EDGES = [[0, 1, 1], [1, 2, 3]]


def line(number: int = 0, **values) -> dict:
    given = {
        "ast_nodes": NODES,
        "edge_index": EDGES,
        "label": number % 2,
        "code": f"int f() {{ return {number}; }}",
    }
    return {name: value for name, value in {**given, **values}.items() if value != "absent"}


def build(path, **options):
    return StreamGuard(path=path, **options).build(silent)


def graph_of(graphs, place=0):
    nodes = slice(*graphs.node_ptr[place : place + 2])
    edges = slice(*graphs.edge_ptr[place : place + 2])
    ends = zip(graphs.edge_source[edges].tolist(), graphs.edge_target[edges].tolist(), strict=True)
    return graphs.node_type[nodes].tolist(), graphs.node_token[nodes].tolist(), list(ends)


def name_id(name: str) -> int:
    return 16 + bucket(name, 512 - 16)


def test_nodes_by_name_and_edges_as_given(write_lines):
    graphs = build(write_lines(line()))
    assert graph_of(graphs) == (
        [name_id(name) for name in NODES],
        [0, 0, 0, 0],
        [(0, 1), (1, 2), (1, 3)],
    )
    assert not graphs.info.symmetric
    assert collate(graphs, np.arange(1)).edge_index.tolist() == EDGES
    assert graphs.weight is None
    assert graphs.graph_features is None


def test_nodes_by_id_and_as_objects(write_lines):
    by_id = build(write_lines(line(ast_nodes=[0, 5, 495, 5])))
    assert graph_of(by_id)[0] == [16, 21, 511, 21]
    nodes = [{"type": "Call", "text": "free"}, {"node_type": 3}, {"kind": "Id", "name": "p"}, 7]
    types, found, _ = graph_of(build(write_lines(line(ast_nodes=nodes))))
    assert types == [name_id("Call"), 19, name_id("Id"), 23]
    assert found == [token_id("free", 1024), 0, token_id("p", 1024), 0]


@pytest.mark.parametrize("edges", [[[0, 1], [1, 2], [1, 3]], EDGES])
def test_edges_come_as_pairs_or_as_rows(write_lines, edges):
    assert graph_of(build(write_lines(line(edge_index=edges))))[2] == [(0, 1), (1, 2), (1, 3)]


@pytest.mark.parametrize("edges", [[], [[], []]])
def test_there_may_be_no_edges(write_lines, edges):
    assert graph_of(build(write_lines(line(edge_index=edges))))[2] == []


def test_two_edges_are_rows_unless_an_earlier_line_was_pairs(write_lines):
    two = line(1, edge_index=[[0, 1], [2, 3]])
    alone = build(write_lines(two))
    assert graph_of(alone)[2] == [(0, 2), (1, 3)]
    after = build(write_lines(line(0, edge_index=[[0, 1], [1, 2], [1, 3]]), two))
    place = after.label.tolist().index(1)
    assert graph_of(after, place)[2] == [(0, 1), (2, 3)]
    told = build(write_lines(two), edges="pairs")
    assert graph_of(told)[2] == [(0, 1), (2, 3)]


def test_symmetric_edges_are_stored_once_whatever_their_direction(write_lines):
    edges = [[0, 1, 1, 2, 3, 3], [1, 0, 2, 1, 3, 1]]
    graphs = build(write_lines(line(edge_index=edges)), symmetric=True)
    assert graph_of(graphs)[2] == [(0, 1), (1, 2), (1, 3)]
    both = collate(graphs, np.arange(1)).edge_index
    assert sorted(map(tuple, both.T.tolist())) == sorted(
        {(0, 1), (1, 0), (1, 2), (2, 1), (1, 3), (3, 1)}
    )


@pytest.mark.parametrize("nodes", ["absent", None, []])
@pytest.mark.parametrize("field", ["code", "func"])
def test_without_nodes_the_text_becomes_a_graph_of_its_tokens(write_lines, nodes, field):
    text = "free(p); free(q);"
    record = line(ast_nodes=nodes, edge_index="absent", code="absent") | {field: text}
    expected = tokens.graph(tokens.read(text, 100), 1024)
    types, found, edges = graph_of(build(write_lines(record)))
    assert types == expected.node_type.tolist()
    assert found == expected.node_token.tolist()
    ends = zip(expected.edge_source.tolist(), expected.edge_target.tolist(), strict=True)
    assert edges == list(ends)


def test_weight_features_group_and_language_are_read(write_lines):
    records = [
        line(number, weight=number / 2, graph_cls=[number, 0.5], group=f"g{number // 2}",
             language="c" if number else "absent")
        for number in range(4)
    ]  # fmt: skip
    graphs = build(write_lines(*records))
    numbers = graphs.graph_features[:, 0].tolist()
    assert sorted(numbers) == [0, 1, 2, 3]
    assert graphs.weight.tolist() == [number / 2 for number in numbers]
    assert graphs.group.tolist() == [int(number) // 2 for number in numbers]
    assert graphs.info.tags == {"language": ("", "c")}
    without = build(write_lines(*records), graph_cls=False)
    assert without.graph_features is None


def test_a_commit_is_a_group_and_a_line_without_one_stands_alone(write_lines):
    records = [line(number, project="p", commit_id=f"c{number % 2}") for number in range(4)]
    assert len(set(build(write_lines(*records)).group.tolist())) == 2
    assert len(set(build(write_lines(*map(line, range(4)))).group.tolist())) == 4


def test_a_text_with_both_labels_is_dropped_whatever_its_graph_and_layout(write_lines):
    records = [
        line(0, code="int f() { return 1; }"),
        line(1, code="int f()  {\n return 1; }", ast_nodes=NODES[::-1]),
        line(2),
    ]
    graphs = build(write_lines(*records))
    assert graphs.info.counts == {"read": 3, "kept": 1, "the same text carries both labels": 2}


def test_without_a_text_the_graph_is_what_carries_a_label(write_lines):
    same = [
        line(0, code="absent"),
        line(1, code="absent"),
        line(2, code="absent", ast_nodes=[1] * 4),
    ]
    assert build(write_lines(*same)).info.counts["the same text carries both labels"] == 2


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"label": "absent"}, "label or target", "is missing"),
        ({"label": 3}, "label", "is neither 0 nor 1"),
        ({"ast_nodes": "Call"}, "ast_nodes", "is not a list"),
        ({"ast_nodes": {"a": 1}}, "ast_nodes", "is not a list"),
        ({"ast_nodes": [[1], 2, 3, 4]}, "ast_nodes", "has a node that is no name"),
        ({"ast_nodes": [True, 2, 3, 4]}, "ast_nodes", "has a node that is no name"),
        ({"ast_nodes": [{"x": 1}, 2, 3, 4]}, "ast_nodes", "has a node that is no name"),
        ({"ast_nodes": [496, 2, 3, 4]}, "ast_nodes", "has a node type outside of range(496)"),
        ({"ast_nodes": [-1, 2, 3, 4]}, "ast_nodes", "has a node type outside of range(496)"),
        ({"ast_nodes": "absent", "code": "absent"}, "ast_nodes", "is missing, and so is a text"),
        ({"ast_nodes": "absent", "code": " \n"}, "ast_nodes", "is missing, and so is a text"),
        ({"edge_index": "absent"}, "edge_index", "is missing or is not a list"),
        ({"edge_index": [1, 2]}, "edge_index", "is not a list of lists"),
        ({"edge_index": [[0, 1, 2], [1]]}, "edge_index", "is neither [2, E] nor a list of pairs"),
        ({"edge_index": [[0, 1, 2]] * 3}, "edge_index", "is neither [2, E] nor a list of pairs"),
        ({"edge_index": [[0], [4]]}, "edge_index", "names a node that the graph does not have"),
        ({"edge_index": [[0], [-1]]}, "edge_index", "names a node that the graph does not have"),
        ({"edge_index": [[0], [1.0]]}, "edge_index", "names a node that the graph does not have"),
        ({"edge_index": [[0], [True]]}, "edge_index", "names a node that the graph does not have"),
        ({"weight": -1}, "weight", "is not between 0 and a million"),
        ({"weight": 1e300}, "weight", "is not between 0 and a million"),
        ({"weight": "2"}, "weight", "is not a finite number"),
        ({"code": 3}, "code", "is not a text"),
        ({"graph_cls": [1.0, "x"]}, "graph_cls", "holds something else than finite numbers"),
        ({"graph_cls": [1.0, float("nan")]}, "graph_cls", "holds something else"),
        ({"graph_cls": [1e200, 1.0]}, "graph_cls", "holds something else"),
        ({"graph_cls": [True, 1.0]}, "graph_cls", "holds something else"),
        ({"graph_cls": [1.0]}, "graph_cls", "has another length than the first sound line's"),
        ({"graph_cls": "absent"}, "graph_cls", "has another length"),
        ({"graph_cls": 4}, "graph_cls", "is not a list of at most"),
    ],
)
def test_a_broken_line_names_file_line_and_field(write_lines, change, field, reason):
    sound = [line(number, graph_cls=[1.0, 2.0]) for number in range(3)]
    path = write_lines(*sound, line(3, **{"graph_cls": [1.0, 2.0], **change}))
    with pytest.raises(DataError) as caught:
        build(path, strict=True)
    assert f"{path}:4: field '{field}': {reason}" in str(caught.value)
    counts = build(path).info.counts
    broken = [name for name in counts if name.startswith(f"broken: field '{field}': {reason}")]
    assert len(broken) == 1
    assert counts == {"read": 4, "kept": 3, broken[0]: 1}


def test_a_graph_that_is_too_large_is_counted(write_lines):
    large = line(1, ast_nodes=[1] * 30)
    text = line(2, ast_nodes="absent", code="x " * 30)
    counts = build(write_lines(line(), large, text), max_nodes=10).info.counts
    assert counts == {"read": 3, "kept": 1, "the graph has more than 10 nodes": 2}


def test_what_is_built_can_be_stored(write_lines, tmp_path):
    records = [line(number, weight=1, graph_cls=[0.5], language="c") for number in range(5)]
    verify(save(build(write_lines(*records)), tmp_path / "set"), tmp_path / "set")


def test_the_key_follows_content_and_options_but_no_place(write_lines, tmp_path):
    path = write_lines(line())
    moved = tmp_path / "elsewhere" / "data.jsonl"
    moved.parent.mkdir()
    moved.write_bytes(path.read_bytes())
    assert StreamGuard(path=path).key() == StreamGuard(path=moved).key()
    assert StreamGuard(path=path).key() != StreamGuard(path=path, symmetric=True).key()
    assert StreamGuard(path=path).key() != StreamGuard(path=write_lines(line(1))).key()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
fields = ["ast_nodes", "edge_index", "label", "target", "weight", "code", "func", "graph_cls",
          "group", "project", "commit_id", "language"]  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from(fields), json_values), min_size=1, max_size=4))
def test_any_json_is_read_or_is_a_data_error(tmp_path, changes):
    path = tmp_path / "any.jsonl"
    sound = [line(number) for number in range(2)]
    path.write_text(
        "\n".join(json.dumps(one) for one in [*sound, *({**line(9), **c} for c in changes)])
    )
    try:
        graphs = build(path)
    except DataError:
        return
    counts = dict(graphs.info.counts)
    assert counts.pop("read") == sum(counts.values())
    assert graphs.node_type.max() < graphs.info.num_types
