from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from harness.graphs.catalog import summarise
from harness.graphs.code import python
from harness.graphs.dataset import save, verify
from harness.graphs.sources import inverted_guard
from harness.graphs.sources.base import silent
from harness.graphs.sources.inverted_guard import InvertedGuard
from harness.hashing import unit_interval

# Long enough to be taken (30 nodes), and with something that tells one function from the next.
BODY = "    x = g(a, b) + {number}\n    y = h(x, a) * b - x\n    z = [x, y, a, b]\n    return z"


def source_of(tests: list[str]) -> str:
    return "\n\n".join(
        f"def f{number}(a, b):\n    '''doc {number}'''\n    if {test}:\n        raise E\n"
        + BODY.format(number=number)
        for number, test in enumerate(tests)
    )


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Writes a package of the given modules and gives a source that reads it."""

    def make(modules: dict[str, str], **options) -> InvertedGuard:
        folder = tmp_path / "guarded"
        folder.mkdir(exist_ok=True)
        for name, text in modules.items():
            (folder / name).write_text(text)
        return InvertedGuard(packages="guarded", **options)

    monkeypatch.syspath_prepend(tmp_path)
    return make


def keys_of(text: str) -> dict[str, str]:
    """Keys of the functions of a text, as they are read: without docstrings."""
    found = {}
    for function in python.functions(python.parse(text)):
        inverted_guard.without_docstring(function)
        found[python.read(function, 1000).key()] = function.name
    return found


def test_labels_follow_content_and_vulnerable_ones_have_one_guard_inverted(corpus):
    text = source_of(["a is None"] * 60)
    graphs = corpus({"m.py": text}).build(silent)
    assert len(graphs) == 60
    expected = [unit_interval(f"label {key}") < 0.27 for key in keys_of(text)]
    assert graphs.label.sum() == sum(expected) > 5
    kinds = {name: place for place, name in enumerate(python.NODE_TYPES, start=1)}
    for place, label in enumerate(graphs.label):
        nodes = graphs.node_type[slice(*graphs.node_ptr[place : place + 2])].tolist()
        assert nodes.count(kinds["IsNot"]) == label, "the inverted one, and no other"
        assert nodes.count(kinds["Is"]) == 1 - label


def test_every_function_read_is_kept_or_counted_under_a_reason(corpus):
    tests = ["a is None"] * 10 + ["a < b", "a", "a and b"]
    small = "def s(a):\n    if not a:\n        raise E"
    large = "def l(a):\n    if not a:\n        raise E\n    x = [" + "a, " * 500 + "]"
    text = "\n\n".join([source_of(tests), small, large])
    text += "\n\n" + source_of(["a is None"]).replace("f0", "renamed")
    graphs = corpus({"m.py": text, "n.py": "x = 1", "o.py": "def (:raise"}, limit=8).build(silent)
    assert graphs.info.counts == {
        "read": 16,
        "kept": 8,
        "beyond the limit": 2,
        "duplicate of a kept one": 1,
        "no guard that can be inverted": 3,
        "the graph has fewer than 30 nodes": 1,
        "the graph has more than 400 nodes": 1,
        "modules: without a guard": 1,
        "modules: the text does not parse as Python": 1,
    }


def test_inverting_a_call_takes_no_function_out_at_the_upper_bound(corpus):
    text = "def f(a):\n    if g(a):\n        raise E\n    x = [" + "a, " * 387 + "{}]"
    texts = [text.format(number) for number in range(40)]
    node = next(python.functions(python.parse(texts[0])))
    assert len(python.read(node, 1000)) == inverted_guard.MAX_NODES
    graphs = corpus({"m.py": "\n\n".join(texts)}).build(silent)
    assert set(graphs.num_nodes[graphs.label == 0]) == {400}
    assert set(graphs.num_nodes[graphs.label == 1]) == {402}
    assert graphs.info.counts == {"kept": 40, "read": 40}


def test_the_group_is_the_file_and_the_tag_the_package(corpus):
    modules = {f"{name}.py": source_of([f"a is {name}"] * 5) for name in "pqr"}
    graphs = corpus(modules).build(silent)
    assert sorted(Counter(graphs.group.tolist()).values()) == [5, 5, 5]
    assert graphs.info.tags == {"package": ("guarded",)}


def test_a_smaller_set_is_a_prefix_of_a_larger_one(corpus):
    modules = {"m.py": source_of(["a is None", "not a", "f(b)"] * 10)}
    whole, part = (corpus(modules, limit=limit).build(silent) for limit in (0, 7))
    assert part.label.tolist() == whole.label[:7].tolist()
    assert part.node_token.tolist() == whole.node_token[: part.node_ptr[-1]].tolist()


def test_a_text_that_is_another_ones_inversion_carries_both_labels(corpus):
    tests = [f"a is {'not ' * (number % 2)}None" for number in range(80)]
    text = "\n\n".join(
        source_of([test]).replace("f0", f"f{number}").replace("+ 0", f"+ {number // 2}")
        for number, test in enumerate(tests)
    )
    counts = corpus({"m.py": text}).build(silent).info.counts
    keys = list(keys_of(text))
    labels = [unit_interval(f"label {key}") < 0.27 for key in keys]
    # Function 2k and 2k + 1 are each other's inversion: they meet where one of them is inverted.
    met = sum(labels[k] != labels[k + 1] for k in range(0, 80, 2))
    assert counts["the same text carries both labels"] == 2 * met > 0
    assert counts["read"] == 80 == sum(counts.values()) - 80


def test_the_notes_say_that_the_defects_are_injected(corpus):
    info = corpus({"m.py": source_of(["not a"] * 3)}).build(silent).info
    assert "injected" in info.notes[0]
    assert info.source == "inverted_guard[packages=guarded]"
    assert info.versions["python"].endswith(".".join(map(str, sys.version_info[:3])))


def test_the_key_follows_packages_options_and_content(corpus):
    source = corpus({"m.py": source_of(["not a"])})
    first = source.key()
    assert InvertedGuard(packages="guarded", limit=5).key() != first
    assert InvertedGuard(packages="json").key() != first
    assert InvertedGuard().key() != InvertedGuard(num_tokens=99).key()
    assert source.key() == first
    corpus({"m.py": source_of(["not b"])})
    assert source.key() != first, "a package whose version is not known goes by its files"


def test_a_package_that_is_not_installed_is_passed_over(corpus):
    modules = {"m.py": source_of(["not a"] * 3)}
    alone = corpus(modules).build(silent)
    both = InvertedGuard(packages="no_such_package guarded").build(silent)
    assert both == alone


def test_a_real_package_gives_the_same_data_in_every_process(tmp_path):
    options = {"packages": "email json http", "limit": 100}
    told: list[tuple[int, int, str]] = []
    graphs = InvertedGuard(**options).build(lambda *state: told.append(state))
    assert told[-1][0] == told[-1][1] == len(told) - 1
    assert 20 < len(graphs) <= 100
    assert graphs.num_nodes.min() >= 28
    assert graphs.num_nodes.max() <= 402
    verify(save(graphs, tmp_path / "set"), tmp_path / "set")
    code = (
        "from harness.graphs.sources.inverted_guard import InvertedGuard\n"
        "from harness.graphs.sources.base import silent\n"
        f"print(InvertedGuard(**{options!r}).build(silent).content)"
    )
    found = {
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("0", "1")
    }
    assert found == {graphs.content}


@pytest.mark.slow
def test_the_default_set_is_as_large_as_promised_and_costs_little():
    first, again = (InvertedGuard().build(silent) for _ in range(2))
    assert first == again
    summary = summarise(first)
    assert summary.graphs == 8000
    assert first.info.counts["beyond the limit"] > 500
    assert summary.positive_share == pytest.approx(0.27, abs=0.02)
    assert summary.bytes_per_graph < 2048
    assert 80 < summary.nodes_p50 < 130
    assert np.bincount(first.group).max() < 400
