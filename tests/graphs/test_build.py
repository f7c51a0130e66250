from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.graphs import build
from harness.graphs.build import Sample, pack, smallest
from harness.graphs.code.graph import CodeGraph
from harness.graphs.dataset import DatasetInfo, save, verify

INFO = DatasetInfo(name="made", source="made", num_types=7, num_tokens=300, symmetric=True)


def key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def graph(nodes: int, seed: int = 0) -> CodeGraph:
    random = np.random.default_rng(seed)
    ends = np.sort(random.integers(0, max(nodes, 1), (2, 2 * nodes)), axis=0).astype(np.int32)
    return CodeGraph(
        node_type=random.integers(0, 7, nodes).astype(np.int32),
        node_token=random.integers(0, 300, nodes).astype(np.int32),
        edge_source=ends[0],
        edge_target=ends[1],
    )


def sample(text: str, label: int = 0, group: str = "g", **values) -> Sample:
    values.setdefault("graph", graph(3 + len(text), seed=len(text)))
    return Sample(label=label, group=group, text_key=key(text), **values)


def packed(samples, limit: int = 0, max_nodes: int = 100, counts=None):
    counts = Counter() if counts is None else counts
    return pack(samples, INFO, counts, max_nodes=max_nodes, limit=limit)


texts = st.lists(
    st.builds(
        sample,
        st.sampled_from([letter * size for size, letter in enumerate("abcdefg", start=1)]),
        st.integers(0, 1),
        st.sampled_from(["p", "q", "r"]),
        weight=st.sampled_from([None, 0.5]),
        tags=st.sampled_from([{}, {"language": "c"}, {"language": "d"}]),
    ),
    min_size=1,
    max_size=25,
)


def brute_force(samples):
    """Kept samples by the definition: no text with both labels, one copy, ordered by key."""
    labels = {text: {s.label for s in samples if s.text_key == text} for text in keys(samples)}
    kept = [text for text in sorted(labels) if len(labels[text]) == 1]
    chosen = [
        min(
            (s for s in samples if s.text_key == text),
            key=lambda s: (s.group, sorted(s.tags.items()), -1.0 if s.weight is None else s.weight),
        )
        for text in kept
    ]
    both = sum(s.text_key not in kept for s in samples)
    return chosen, both


def keys(samples):
    return {s.text_key for s in samples}


@settings(max_examples=150)
@given(texts, st.randoms())
def test_packing_is_the_definition_in_any_order(samples, random):
    chosen, both = brute_force(samples)
    if not chosen:
        with pytest.raises(DataError, match="no graph is left"):
            packed(samples)
        return
    graphs = packed(samples)
    shuffled = list(samples)
    random.shuffle(shuffled)
    assert packed(shuffled) == graphs, "the order of reading is no part of the data"
    assert graphs.label.tolist() == [s.label for s in chosen]
    names = sorted({s.group for s in chosen})
    assert graphs.group.tolist() == [names.index(s.group) for s in chosen]
    counts = graphs.info.counts
    assert counts.get(build.BOTH_LABELS, 0) == both
    assert counts["kept"] == len(chosen)
    assert sum(counts.values()) == len(samples), "every sample is accounted for"
    for place, kept in enumerate(chosen):
        nodes = slice(*graphs.node_ptr[place : place + 2])
        edges = slice(*graphs.edge_ptr[place : place + 2])
        assert np.array_equal(graphs.node_type[nodes], kept.graph.node_type)
        assert np.array_equal(graphs.node_token[nodes], kept.graph.node_token)
        assert np.array_equal(graphs.edge_source[edges], kept.graph.edge_source)
        assert np.array_equal(graphs.edge_target[edges], kept.graph.edge_target)
        if "language" in graphs.tags:
            shown = graphs.info.tags["language"][graphs.tags["language"][place]]
            assert shown == kept.tags.get("language", "")
    assert (graphs.weight is None) == all(s.weight is None for s in chosen)
    if graphs.weight is not None:
        expected = [1.0 if s.weight is None else s.weight for s in chosen]
        assert graphs.weight.tolist() == expected


@given(texts, st.integers(1, 5))
def test_a_limit_keeps_a_prefix_in_the_order_of_the_keys(samples, limit):
    chosen, _ = brute_force(samples)
    if not chosen:
        return
    whole, part = packed(samples), packed(samples, limit)
    assert len(part) == min(limit, len(whole))
    assert part.label.tolist() == whole.label[:limit].tolist()
    assert part.node_type.tolist() == whole.node_type[: part.node_ptr[-1]].tolist()
    assert sum(part.info.counts.values()) == len(samples)


def test_what_is_left_out_is_counted_by_its_reason():
    counts = Counter({"read": 6, "broken: field 'func': is missing": 1})
    samples = [
        sample("a", 0),
        sample("b", 1),
        sample("a", 1),
        sample("empty", graph=graph(0)),
        sample("large", graph=graph(101)),
    ]
    assert packed(samples, counts=counts).info.counts == {
        "read": 6,
        "kept": 1,
        "broken: field 'func': is missing": 1,
        "the same text carries both labels": 2,
        "the graph is empty": 1,
        "the graph has more than 100 nodes": 1,
    }


def test_nothing_left_is_an_error_that_says_why():
    with pytest.raises(DataError, match="the graph is empty: 1"):
        packed([sample("a", graph=graph(0))])


def test_counts_that_a_source_adds_while_it_yields_are_taken():
    counts: Counter[str] = Counter()

    def samples():
        yield sample("a")
        counts["late"] += 3

    assert packed(samples(), counts=counts).info.counts["late"] == 3


def test_graph_features_are_kept_in_order_and_must_be_alike():
    features = {text: np.array([len(text), 2.5], np.float32) for text in ("a", "bb", "ccc")}
    samples = [sample(text, graph_features=row) for text, row in features.items()]
    graphs = packed(samples)
    expected = [features[text].tolist() for text in sorted(features, key=key)]
    assert graphs.graph_features.tolist() == expected
    assert graphs.num_graph_features == 2
    for other in (None, np.zeros(3, np.float32)):
        with pytest.raises(DataError, match="graph features"):
            packed([*samples, sample("dddd", graph_features=other)])


@pytest.mark.parametrize(
    ("size", "dtype"),
    [(1, np.uint8), (256, np.uint8), (257, np.uint16), (65536, np.uint16), (65537, np.uint32)],
)
def test_the_smallest_type_holds_its_range(size, dtype):
    assert smallest(size) is dtype
    assert np.iinfo(smallest(size)).max >= size - 1


def test_indices_take_the_smallest_type_that_the_largest_graph_needs(tmp_path):
    small = packed([sample("a", graph=graph(256))], max_nodes=10**6)
    large = packed([sample("a", graph=graph(256)), sample("b", graph=graph(257))], max_nodes=10**6)
    assert small.edge_source.dtype == small.edge_target.dtype == np.uint8
    assert large.edge_source.dtype == np.uint16
    assert small.node_type.dtype == np.uint8
    assert small.node_token.dtype == np.uint16
    verify(save(large, tmp_path / "set"), tmp_path / "set")


def test_another_copy_of_a_text_cannot_change_the_group_by_coming_first():
    first, second = sample("a", group="z"), sample("a", group="b")
    one, other = packed([first, second, sample("b")]), packed([second, first, sample("b")])
    assert one == other
    alone = replace(second)
    assert packed([alone, sample("b")]) == one
