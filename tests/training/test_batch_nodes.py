"""A budget of nodes cuts every batch of a run alike, and changes no loss."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.feature import Claim, Feature
from harness.graphs.batch import collate
from harness.testing import differences
from harness.training.evaluate import score
from harness.training.fit import fit
from harness.training.live import LiveRun


class Accumulating(Feature):
    """Takes a step after ``steps`` batches."""

    name: ClassVar[str] = "accumulating"
    claim: ClassVar[Claim] = Claim.MEMORY

    steps: int = 1

    def accumulation_window(self, run):
        del run
        return self.steps


@settings(max_examples=25)
@given(nodes=st.integers(1, 700), graphs=st.integers(1, 40), steps=st.integers(1, 4))
def test_windows_count_batches_and_hold_the_order_once(make_spec, nodes, graphs, steps):
    arm = (Accumulating(steps=steps),)
    run = LiveRun(make_spec(arm, batch_size=graphs, batch_nodes=nodes))
    wanted = [batch.index.tolist() for batch in run.batches(run.order(1))]
    seen = []
    for number, (window, count) in enumerate(run.windows(1)):
        batches = list(window)
        assert sum(batch.num_graphs for batch in batches) == count
        assert len(batches) == min(steps, len(wanted) - number * steps)
        seen += [batch.index.tolist() for batch in batches]
    assert seen == wanted
    assert np.concatenate(seen).tolist() == run.order(1).tolist()
    sizes = [len(batch.x) for batch in run.batches(run.order(1))]
    assert all(size <= nodes or len(one) == 1 for size, one in zip(sizes, wanted, strict=True))


@settings(max_examples=25)
@given(nodes=st.integers(1, 400), arm=st.sampled_from(["", "class_weights", "focal_loss"]))
def test_the_loss_of_a_window_is_the_mean_over_its_graphs_however_it_is_cut(make_spec, nodes, arm):
    whole, cut = (
        LiveRun(make_spec(arm, model="gcn[dropout=0]", clip_norm=0, batch_size=64, batch_nodes=one))
        for one in (0, nodes)
    )
    index = whole.train[:20]
    assert cut.train_on(cut.batches(index)) == pytest.approx(
        whole.train_on(whole.batches(index)), rel=1e-5
    )
    for ours, theirs in zip(whole.model.parameters(), cut.model.parameters(), strict=True):
        scale = float(ours.grad.abs().max()) + 1
        assert torch.allclose(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6 * scale)


def test_scores_do_not_depend_on_the_budget(make_spec):
    found = [
        score(run, run.model, run.spec.split.select)
        for run in (LiveRun(make_spec(model="gat", batch_nodes=nodes)) for nodes in (0, 50))
    ]
    assert np.array_equal(found[0].index, found[1].index)
    assert found[0].probability == pytest.approx(found[1].probability, abs=1e-6)
    assert found[0].loss == pytest.approx(found[1].loss, rel=1e-5)


def test_a_graph_beyond_the_budget_is_said_once_and_trained_alone(make_spec, small_graphs):
    nodes = small_graphs.num_nodes
    most = int(nodes.max()) - 2
    found = fit(make_spec(batch_nodes=most, epochs=2))
    larger = int((nodes > most).sum())
    (note,) = [note for note in found.notes if "a batch of its own" in note]
    assert note.startswith(f"{larger} of {len(nodes)} graphs have more than the {most} nodes")
    assert f"up to {nodes.max()}" in note
    assert not fit(make_spec(batch_nodes=int(nodes.max()), epochs=1)).notes


def test_without_a_budget_a_giant_graph_is_said_and_trained_alone(
    make_spec, small_graphs, monkeypatch
):
    nodes = small_graphs.num_nodes
    giant = int(nodes.max()) - 1
    monkeypatch.setattr("harness.training.live.GIANT", giant)
    found = fit(make_spec(epochs=2))
    (note,) = [note for note in found.notes if "a batch of its own" in note]
    larger = int((nodes > giant).sum())
    assert note.startswith(f"{larger} of {len(nodes)} graphs have more than the {giant} nodes")
    assert np.isfinite([record.train_loss for record in found.history]).all()
    monkeypatch.setattr("harness.training.live.GIANT", int(nodes.max()))
    assert not fit(make_spec(epochs=1)).notes


@pytest.mark.slow
@pytest.mark.parametrize("model", ["gcn", "sage", "gin", "gat"])
def test_a_graph_of_a_million_nodes_breaks_no_run(make_spec, small_graphs, model):
    graphs = _with_a_chain(small_graphs, 1_000_000)
    found = fit(make_spec(model=f"{model}[hidden=16]", graphs=graphs, epochs=1))
    assert np.isfinite(found.history[-1].train_loss)
    assert any("up to 1000000" in note for note in found.notes)


def _with_a_chain(graphs, length):
    """The graphs and a vulnerable one more, in which each node has an edge to the next."""
    steps = np.arange(length - 1, dtype=np.uint32)
    zeros = np.zeros(length, graphs.node_type.dtype)
    return replace(
        graphs,
        info=graphs.info.model_copy(update={"content": ""}),
        node_type=np.append(graphs.node_type, zeros),
        node_token=np.append(graphs.node_token, zeros.astype(graphs.node_token.dtype)),
        edge_source=np.append(graphs.edge_source.astype(np.uint32), steps),
        edge_target=np.append(graphs.edge_target.astype(np.uint32), steps + 1),
        node_ptr=np.append(graphs.node_ptr, graphs.node_ptr[-1] + length),
        edge_ptr=np.append(graphs.edge_ptr, graphs.edge_ptr[-1] + length - 1),
        label=np.append(graphs.label, np.int8(1)),
        group=np.append(graphs.group, graphs.group.max() + 1).astype(np.int32),
        tags={},
    )


def test_a_budget_that_binds_nowhere_changes_no_bit(make_spec):
    free, bound = (fit(make_spec("swa", epochs=2, batch_nodes=one)) for one in (0, 10**6))
    assert not differences(free.state, bound.state)


def test_a_budget_that_binds_takes_more_steps_the_same_every_time(make_spec):
    free, bound, again = (fit(make_spec(batch_nodes=one)) for one in (0, 100, 100))
    assert bound.history[0].steps > 2 * free.history[0].steps
    assert not differences(bound.state, again.state)


def test_range_test_training_evaluation_and_averaged_statistics_cut_alike(make_spec, monkeypatch):
    sizes = []

    def watching(graphs, index):
        batch = collate(graphs, index)
        sizes.append((len(batch.x), batch.num_graphs))
        return batch

    monkeypatch.setattr("harness.training.live.collate", watching)
    fit(make_spec("lr_finder[steps=20]+swa[start=0]", model="gin", batch_nodes=60, epochs=1))
    assert max(nodes for nodes, _ in sizes) <= 60
    assert max(graphs for _, graphs in sizes) > 1
