"""A budget of nodes cuts every batch of a run alike, and changes no loss."""

from __future__ import annotations

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


@settings(max_examples=25, deadline=None)
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


@settings(max_examples=25, deadline=None)
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
