"""A window of batches is one large batch: in gradients, clipping, schedule and weights."""

from __future__ import annotations

import copy
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch_geometric.nn import HeteroBatchNorm

from features import grad_accumulation
from features.grad_accumulation import GradientAccumulation, bytes_of_batch
from harness import PerStep
from harness.feature import Claim, Feature
from harness.graphs.batch import collate
from harness.testing import differences, planted_graphs
from harness.training.fit import FitSession, fit
from harness.training.live import LiveRun

CLIP = 0.05


class OneCycle(Feature):
    """A schedule that goes by steps."""

    name: ClassVar[str] = "one_cycle"
    claim: ClassVar[Claim] = Claim.QUALITY

    def scheduler(self, run):
        steps = run.settings.epochs * len(list(run.windows(0)))
        return PerStep(
            torch.optim.lr_scheduler.OneCycleLR(run.optimizer, max_lr=0.01, total_steps=steps + 1)
        )


def trained(spec):
    """The run after its epochs."""
    session = FitSession(spec)
    while not session.ended:
        session.run_epoch()
    return session.run


def weights(run):
    return torch.cat([each.detach().flatten() for each in run.model.parameters()])


@pytest.fixture(scope="module")
def graphs():
    """117 graphs, so that the last window of an epoch is never whole."""
    return planted_graphs(117)


@pytest.fixture
def pair(make_spec, graphs):
    """Runs of batches of 24, as such and as 4 of 6."""

    def make(model, *, epochs=2, with_it=(), **more):
        arms = [(24, ()), (6, (GradientAccumulation(steps=4),))]
        runs = [
            LiveRun(
                make_spec(
                    (*arm, *with_it),
                    model=model,
                    graphs=graphs,
                    batch_size=size,
                    epochs=epochs,
                    clip_norm=CLIP,
                    learning_rate=0.01,
                    **more,
                )
            )
            for size, arm in arms
        ]
        assert len(runs[0].train) % 24 not in (0, 6, 12, 18)
        return runs

    return make


# The same as the large batch -----------------------------------------------------------------


@pytest.mark.parametrize("model", ["gcn", "gat", "sage"])
def test_each_step_is_that_of_the_large_batch(pair, model):
    """In double precision, but for the loss, which is taken in fp32."""
    large, parts = pair(f"{model}[dropout=0]", with_it=(OneCycle(),))
    for run in (large, parts):
        run.model.double()
        run.optimizer = torch.optim.SGD(run.model.parameters(), lr=0.1)
    windows = [list(run.windows(0)) for run in (large, parts)]
    assert [graphs for _, graphs in windows[0]] == [graphs for _, graphs in windows[1]]
    for (one, graphs), (other, _) in zip(large.windows(0), parts.windows(0), strict=True):
        large.train_window(one, graphs)
        parts.train_window(other, graphs)
        for whole, cut in zip(large.model.parameters(), parts.model.parameters(), strict=True):
            assert torch.allclose(whole, cut, rtol=1e-6, atol=1e-8)
        assert float(large.gradient_norm) == pytest.approx(float(parts.gradient_norm), rel=1e-6)
        assert float(large.loss) == pytest.approx(float(parts.loss), rel=1e-6)


@pytest.mark.parametrize("arm", ["", "weighted_sampler+class_weights+focal_loss"])
def test_whole_fits_with_adam_clipping_and_a_schedule_by_step_end_alike(make_spec, graphs, arm):
    runs = []
    for size, steps in ((24, ()), (6, (GradientAccumulation(steps=4),))):
        spec = make_spec(arm, model="sage[dropout=0]", graphs=graphs, batch_size=size, epochs=3,
                         clip_norm=CLIP, learning_rate=0.01)  # fmt: skip
        runs.append(trained(spec.with_arm((*spec.arm, *steps, OneCycle()))))
    large, parts = (run.history for run in runs)
    for one, other in zip(large, parts, strict=True):
        assert one.steps == other.steps == -(-len(runs[0].train) // 24)
        assert one.learning_rate == other.learning_rate
        assert one.clipped_steps == other.clipped_steps > 0
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-4)
        assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-3)
    assert runs[0].learning_rate() == runs[1].learning_rate()
    assert torch.allclose(weights(runs[0]), weights(runs[1]), atol=2e-3)


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 40))
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
def test_however_it_is_cut_the_gradient_is_that_of_the_mean(make_spec, graphs, size, steps, count):
    spec = make_spec((GradientAccumulation(steps=steps),), model="gcn[dropout=0,layers=1]",
                     graphs=graphs, batch_size=size, clip_norm=0)  # fmt: skip
    run = LiveRun(spec)
    run.order = lambda epoch: run.train[:count]
    plain = copy.deepcopy(run.model)
    for window, graphs_in_it in run.windows(0):
        batches = list(window)
        index = torch.cat([batch.index for batch in batches])
        assert len(index) == graphs_in_it
        plain.load_state_dict(run.model.state_dict())
        plain.zero_grad()
        batch = collate(run.graphs, index.numpy())
        logits = plain(batch.x, batch.edge_index, batch.batch, batch.num_graphs)
        functional.cross_entropy(logits, batch.y).backward()
        run.train_window(batches, graphs_in_it)
        largest = max(float(each.grad.abs().max()) for each in plain.parameters())
        for one, other in zip(run.model.parameters(), plain.parameters(), strict=True):
            assert torch.allclose(one.grad, other.grad, rtol=1e-4, atol=1e-5 * largest)


# An independent loop -------------------------------------------------------------------------


def plain_loop(model, graphs, epochs_of_order, *, size, steps, rate, naive=False):
    """Accumulate as torch's own examples do it, with the true length of each window.

    ``naive`` divides by the number of batches that a whole window has, as is often done.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    total = len(epochs_of_order) * -(-len(epochs_of_order[0]) // (size * steps))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=total + 1)
    for order in epochs_of_order:
        cuts = [order[start : start + size] for start in range(0, len(order), size)]
        for start in range(0, len(cuts), steps):
            window = cuts[start : start + steps]
            optimizer.zero_grad()
            for part in window:
                batch = collate(graphs, part)
                logits = model(batch.x, batch.edge_index, batch.batch, batch.num_graphs)
                if naive:
                    loss = functional.cross_entropy(logits, batch.y) / steps
                else:
                    loss = functional.cross_entropy(logits, batch.y, reduction="sum")
                    loss = loss / sum(map(len, window))
                loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            schedule.step()
    return model


@pytest.mark.parametrize("model", ["gcn", "sage"])
def test_the_weights_are_those_of_a_plain_loop_and_not_of_a_careless_one(pair, model):
    run = pair(f"{model}[dropout=0]", with_it=(OneCycle(),))[1]
    start = copy.deepcopy(run.model)
    for epoch in range(2):
        for window, graphs in run.windows(epoch):
            run.train_window(window, graphs)
            run.schedule.after_step()
    orders = [run.order(0), run.order(1)]
    careful, careless = (
        plain_loop(
            copy.deepcopy(start), run.graphs, orders, size=6, steps=4, rate=0.01, naive=naive
        )
        for naive in (False, True)
    )
    moved, near, far = (
        float((weights(run) - torch.cat([each.detach().flatten() for each in other.parameters()]))
              .norm())
        for other in (start, careful, careless)
    )  # fmt: skip
    assert near < 0.01 * moved
    assert far > 5 * near


# What it says --------------------------------------------------------------------------------


def notes(make_spec, arm, **more):
    session = FitSession(make_spec(arm, **more))
    return [note for note in session.run.notes if note.startswith("grad_accumulation")]


def test_with_batch_norm_it_warns(make_spec):
    (warning, _) = notes(make_spec, "grad_accumulation[steps=3]", model="gin", batch_size=8)
    assert "BatchNorm, whose statistics are those of 8 graphs" in warning
    assert "not the same as a batch of 24" in warning
    assert not any("BatchNorm" in note for note in notes(make_spec, "grad_accumulation"))


def test_other_packages_batch_norm_is_known(make_spec):
    session = FitSession(make_spec("grad_accumulation"))
    session.run.model.extra = HeteroBatchNorm(4, num_types=2)
    session.run.notes.clear()
    session.run.arm[0].on_fit_start(session.run)
    assert "BatchNorm" in session.run.notes[0]


def test_with_batch_norm_it_is_indeed_not_the_same(pair):
    large, parts = pair("gin[dropout=0]")
    for run in (large, parts):
        run.train_window(*next(run.windows(0)))
    norm = [run.model.convolutions[0].nn[1].running_var for run in (large, parts)]
    assert not torch.allclose(*norm, rtol=1e-3)


@pytest.mark.parametrize(("memory", "said"), [(1 << 40, True), (1 << 20, False), (0, False)])
def test_it_says_when_a_large_batch_would_do(make_spec, monkeypatch, memory, said):
    monkeypatch.setattr(grad_accumulation, "memory_of", lambda device: memory)
    found = notes(make_spec, "grad_accumulation[steps=2]", batch_size=16)
    assert [("batches of 32" in note and "auto batch size would do" in note) for note in found] == [
        True
    ] * said


def test_a_window_of_one_batch_says_nothing_and_changes_nothing(make_spec):
    with_it, without = (fit(make_spec(arm)) for arm in ("grad_accumulation[steps=1]", ""))
    assert not differences(with_it, without)


@pytest.mark.parametrize("arm", ["grad_accumulation", "grad_accumulation+amp[dtype=fp16]"])
def test_the_estimate_grows_with_the_batch_and_leaves_no_trace(make_spec, arm):
    run = LiveRun(make_spec(arm, model="gin"))
    before = copy.deepcopy([run.model.state_dict(), run.optimizer.state_dict()])
    random = torch.get_rng_state()
    small, large = (bytes_of_batch(run, graphs) for graphs in (100, 1100))
    model = 4 * sum(each.nbytes for each in run.model.parameters())
    assert large - model == pytest.approx(11 * (small - model), rel=1e-6)
    assert bytes_of_batch(run, 100) == small
    assert not differences(before, [run.model.state_dict(), run.optimizer.state_dict()])
    assert torch.get_rng_state().equal(random)
    # At least the states that each convolution and activation of a node must keep.
    nodes = run.graphs.num_nodes[run.train].mean() * 100
    assert small - model > nodes * 3 * 64 * 4


def test_the_machine_has_memory():
    assert grad_accumulation.memory_of(torch.device("cpu")) > 1 << 28


def test_it_comes_with_no_step_more_for_the_epochs_that_are_left(make_spec, tmp_path):
    spec = make_spec("grad_accumulation[steps=3]+tensorboard", epochs=3, batch_size=5,
                     folder=tmp_path, resume=True)  # fmt: skip
    torn = FitSession(spec)
    torn.run_epoch()
    found = fit(spec)
    steps = -(-len(spec.split.train) // 15)
    assert [record.steps for record in found.history] == [steps] * 3
    assert np.isfinite([record.gradient_norm for record in found.history]).all()
