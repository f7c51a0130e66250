from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.graphs.code import c
from harness.graphs.dataset import save, verify
from harness.graphs.sources.base import silent
from harness.graphs.sources.devign import Devign


def line(number: int = 0, **values) -> dict:
    given = {
        "func": f"int f{number}(int a) {{ return a + {number}; }}",
        "target": number % 2,
        "project": "qemu" if number % 3 else "FFmpeg",
        "commit_id": f"c{number // 2}",
    }
    return {name: value for name, value in {**given, **values}.items() if value != "absent"}


def build(path, **options):
    return Devign(path=path, **options).build(silent)


def test_functions_become_trees_in_groups_of_their_commit(write_lines, tmp_path):
    records = [line(number) for number in range(12)]
    graphs = build(write_lines(*records))
    parser = c.CParser()
    read = {
        parser.read(record["func"].encode(), 100).tree.key(): record for record in records
    }  # fmt: skip
    expected = [read[key] for key in sorted(read)]
    assert graphs.label.tolist() == [record["target"] for record in expected]
    commits = [f"{record['project']} {record['commit_id']}" for record in expected]
    assert graphs.group.tolist() == [sorted(set(commits)).index(commit) for commit in commits]
    projects = [graphs.info.tags["project"][code] for code in graphs.tags["project"]]
    assert projects == [record["project"] for record in expected]
    tree = parser.read(expected[0]["func"].encode(), 100).tree
    assert graphs.node_type[: graphs.node_ptr[1]].tolist() == tree.kind
    assert graphs.info.symmetric
    verify(save(graphs, tmp_path / "set"), tmp_path / "set")


def test_a_commit_number_of_two_projects_is_two_groups(write_lines):
    records = [line(1, project="a", commit_id="1"), line(2, project="b", commit_id="1")]
    assert len(set(build(write_lines(*records)).group.tolist())) == 2


def test_a_function_without_a_commit_stands_by_itself(write_lines):
    records = [line(number, commit_id="absent") for number in range(4)]
    assert len(set(build(write_lines(*records)).group.tolist())) == 4


def test_functions_that_differ_in_layout_alone_are_one_text(write_lines):
    text = "int f(int a) { return a; }"
    records = [
        line(0, func=text),
        line(1, func=text.replace(" ", "\n")),
        line(2, func="int g(void) { /* one */ return 1; }"),
        line(4, func="int g(void) { return 1; } // other"),
    ]
    assert build(write_lines(*records)).info.counts == {
        "read": 4,
        "kept": 1,
        "duplicate of a kept one": 1,
        "the same text carries both labels": 2,
    }


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"func": "absent"}, "func", "is missing or empty"),
        ({"func": "  "}, "func", "is missing or empty"),
        ({"func": 1}, "func", "is not a text"),
        ({"target": "absent"}, "target", "is missing"),
        ({"target": "yes"}, "target", "is neither 0 nor 1"),
        ({"project": 1}, "project", "is not a text"),
        ({"commit_id": ["x"]}, "commit_id", "is not a text"),
    ],
)
def test_a_broken_line_names_file_line_and_field(write_lines, change, field, reason):
    path = write_lines(line(0), line(1), line(2, **change))
    with pytest.raises(DataError) as caught:
        build(path, strict=True)
    assert str(caught.value) == f"{path}:3: field '{field}': {reason}"
    assert build(path).info.counts == {
        "read": 3,
        "kept": 2,
        f"broken: field '{field}': {reason} (first: {path.name}:3)": 1,
    }


def test_hostile_and_oversized_functions_cost_themselves_alone(write_lines):
    bomb, large = line(2, func="a<b<c>(d)," * 20_000), line(3, func="x; " * 20_000)
    counts = build(write_lines(line(0), line(1), bomb, large)).info.counts
    assert counts == {
        "read": 4,
        "kept": 2,
        "the text is too much for the parser": 1,
        "the graph has more than 10000 nodes": 1,
    }


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=60), min_size=1, max_size=8))
def test_any_functions_are_read_or_are_a_data_error(tmp_path, functions):
    path = tmp_path / "any.jsonl"
    path.write_text("\n".join(json.dumps(line(n, func=f)) for n, f in enumerate(functions)))
    try:
        counts = dict(build(path).info.counts)
    except DataError:
        return
    assert counts.pop("read") == len(functions) == sum(counts.values())
