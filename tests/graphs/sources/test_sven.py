from __future__ import annotations

import json
import lzma

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.graphs.code import python
from harness.graphs.dataset import save, verify
from harness.graphs.sources import sven
from harness.graphs.sources.base import silent
from harness.graphs.sources.sven import Sven


def pair(number: int = 0, **values) -> dict:
    given = {
        "func_src_before": f"int f(int a) {{ return a + {number}; }}",
        "func_src_after": f"int f(int a) {{ if (a) return a + {number}; return 0; }}",
        "commit_link": f"github.com/x/y/commit/{number // 2}",
        "file_name": "src/x.c",
        "vul_type": "cwe-125",
    }
    return {name: value for name, value in {**given, **values}.items() if value != "absent"}


def python_pair(number: int) -> dict:
    return pair(
        number,
        func_src_before=f"    def f(self):\n        return run({number})\n",
        func_src_after=f"    def f(self):\n        return run(quote({number}))\n",
        file_name="x.py",
        vul_type="cwe-078",
    )


@pytest.fixture
def write(tmp_path):
    def made(content, *, packed: bool = True):
        path = tmp_path / f"sven.json{'.xz' if packed else ''}"
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        path.write_bytes(lzma.compress(raw) if packed else raw)
        return path

    return made


def build(path, **options):
    return Sven(path=path, **options).build(silent)


@pytest.mark.parametrize("packed", [True, False])
def test_a_pair_is_a_vulnerable_and_a_safe_function_of_one_commit(write, packed):
    content = {"train/cwe-125.jsonl": [pair(0), pair(1)], "val/cwe-125.jsonl": [pair(2)]}
    graphs = build(write(content, packed=packed))
    assert graphs.info.counts == {"read": 6, "kept": 6}
    assert graphs.label.sum() == 3
    assert sorted(zip(graphs.group.tolist(), graphs.label.tolist(), strict=True)) == [
        *[(0, 0)] * 2,
        *[(0, 1)] * 2,
        (1, 0),
        (1, 1),
    ]


def test_python_and_c_have_their_own_node_types_and_tags(write, tmp_path):
    graphs = build(write({"train": [pair(0), python_pair(1)]}))
    languages = [graphs.info.tags["language"][code] for code in graphs.tags["language"]]
    for place, language in enumerate(languages):
        types = graphs.node_type[slice(*graphs.node_ptr[place : place + 2])]
        assert (language == "python") == bool((types < python.NUM_TYPES).all())
        assert (language == "c") == bool((types >= python.NUM_TYPES).all())
    assert sorted(languages) == ["c", "c", "python", "python"]
    assert graphs.info.tags["weakness"] == ("cwe-078", "cwe-125")
    verify(save(graphs, tmp_path / "set"), tmp_path / "set")


@pytest.mark.parametrize("language", ["c", "python"])
def test_one_language_can_be_taken_alone(write, language):
    graphs = build(write({"train": [pair(0), python_pair(1)]}), language=language)
    assert graphs.info.tags["language"] == (language,)
    assert graphs.info.counts == {"read": 4, "kept": 2, "in another language": 2}


def test_a_repair_of_comments_alone_is_no_repair(write):
    text = "int f(int a) { return a; }"
    same = pair(0, func_src_before=text, func_src_after=f"/* safe */ {text}")
    assert build(write({"train": [same, pair(1)]})).info.counts == {
        "read": 4,
        "kept": 2,
        "the same text carries both labels": 2,
    }


def test_python_that_does_not_parse_is_counted(write):
    old = python_pair(1) | {"func_src_after": "def f():\n    print 'old'"}
    counts = build(write({"train": [pair(0), old]})).info.counts
    assert counts == {"read": 4, "kept": 3, "the text does not parse as Python": 1}


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"func_src_before": "absent"}, "func_src_before", "is missing or empty"),
        ({"func_src_after": " "}, "func_src_after", "is missing or empty"),
        ({"commit_link": 3}, "commit_link", "is not a text"),
        ({"file_name": "absent"}, "file_name", "is missing or empty"),
        ({"vul_type": []}, "vul_type", "is not a text"),
    ],
)
def test_a_broken_record_names_file_place_and_field(write, change, field, reason):
    path = write({"train/x.jsonl": [pair(0), pair(1), pair(2, **change)]})
    with pytest.raises(DataError) as caught:
        build(path, strict=True)
    assert str(caught.value) == f"{path}, train/x.jsonl:3: field '{field}': {reason}"
    counts = build(path).info.counts
    said = f"broken: field '{field}': {reason} (first: x.jsonl:3)"
    assert counts == {"read": 6, "kept": 4, said: 2}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([pair()], "is not an object of lists"),
        ({"train": pair()}, "is not an object of lists"),
        ({"train": ["x", 3, pair()]}, "4 of 6 functions cannot be read"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff", "not JSON"),
        ({}, "no graph is left"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_what_is_no_such_file_is_refused(write, content, message, packed):
    with pytest.raises(DataError, match=message):
        build(write(content, packed=packed))


def test_unpacking_is_bounded_and_damage_is_found(write, tmp_path, monkeypatch):
    path = write({"train": [pair()]})
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(DataError, match=r"cut short|cannot be unpacked"):
        build(path)
    path.write_bytes(b"no xz at all")
    with pytest.raises(DataError, match="cannot be unpacked"):
        build(path)
    path.write_bytes(whole)
    monkeypatch.setattr(sven, "MAX_UNPACKED", 100)
    with pytest.raises(DataError, match="unpacks to more than"):
        build(path)
    monkeypatch.setattr(sven, "MAX_PACKED", 10)
    with pytest.raises(DataError, match="larger than"):
        build(path)
    with pytest.raises(DataError, match="cannot be read"):
        build(tmp_path / "gone.json")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(st.sampled_from(sorted(pair())), json_values, max_size=3) | json_values,
        max_size=4,
    )
)
def test_any_records_are_read_or_are_a_data_error(write, changes):
    records = [{**pair(9), **change} if isinstance(change, dict) else change for change in changes]
    try:
        counts = dict(build(write({"train": [pair(1), pair(2), *records]})).info.counts)
    except DataError:
        return
    assert counts.pop("read") == sum(counts.values())


def test_the_real_file_is_read_as_it_is(sven_file, tmp_path):
    graphs = build(sven_file)
    counts = dict(graphs.info.counts)
    content = json.loads(lzma.decompress(sven_file.read_bytes()))
    assert counts.pop("read") == 2 * sum(map(len, content.values())) == sum(counts.values())
    assert counts["kept"] > 0.97 * sum(counts.values())
    assert abs(graphs.label.mean() - 0.5) < 0.01
    links = {record["commit_link"] for records in content.values() for record in records}
    assert len(set(graphs.group.tolist())) <= len(links)
    verify(save(graphs, tmp_path / "set"), tmp_path / "set")
