"""A built run: who is asked for what, and what one step of the optimizer does."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch.nn import functional

from harness.errors import UsageError
from harness.feature import Claim, Feature
from harness.graphs.batch import collate
from harness.models import call_model
from harness.run import ParameterGroup
from harness.testing import differences
from harness.training.defaults import adam
from harness.training.live import LiveRun


class Planted(Feature):
    """Base of the features below."""

    name: ClassVar[str] = "planted"
    claim: ClassVar[Claim] = Claim.QUALITY


def gradients(run):
    return [parameter.grad.clone() for parameter in run.model.parameters()]


@pytest.fixture
def weighted(small_graphs):
    """Small graphs whose losses have weights of their own."""
    weight = np.linspace(0.5, 2, len(small_graphs)).astype(np.float32)
    info = small_graphs.info.model_copy(update={"content": ""})
    return replace(small_graphs, info=info, weight=weight)


# A window of batches -------------------------------------------------------------------------


@pytest.mark.parametrize("arm", ["", "class_weights[multiplier=2]", "focal_loss"])
@pytest.mark.parametrize("size", [3, 7, 12])
def test_a_window_of_batches_is_one_large_batch(make_spec, weighted, arm, size):
    runs = [
        LiveRun(
            make_spec(arm, model="gcn[dropout=0]", graphs=weighted, clip_norm=0, batch_size=cut)
        )
        for cut in (24, size)
    ]
    index = runs[0].train[:24]
    losses = [run.train_on(run.batches(index)) for run in runs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    for whole, parts in zip(*map(gradients, runs), strict=True):
        assert torch.allclose(whole, parts, rtol=1e-4, atol=1e-6 * float(whole.abs().max() + 1))


def test_the_loss_is_the_mean_over_graphs_times_their_weights(make_spec, weighted):
    run = LiveRun(make_spec("class_weights", model="gcn[dropout=0]", graphs=weighted))
    batch = collate(weighted, run.train[:10])
    with torch.no_grad():
        plain = functional.cross_entropy(call_model(run.model, batch), batch.y, reduction="none")
    wanted = plain.double() * run.class_weights[batch.y].double() * batch.weight.double()
    assert run.train_on([batch]) == pytest.approx(float(wanted.mean()), rel=1e-6)


def test_an_epoch_is_cut_into_windows_that_hold_every_graph_once(make_spec):
    class Three(Planted):
        def accumulation_window(self, run):
            del run
            return 3

    run = LiveRun(make_spec((Three(),), batch_size=4))
    seen, sizes = [], []
    for window, graphs in run.windows(2):
        batches = list(window)
        assert sum(batch.num_graphs for batch in batches) == graphs
        assert len(batches) <= 3
        sizes.append(graphs)
        seen += [int(one) for batch in batches for one in batch.index]
    assert seen == run.order(2).tolist()
    assert sizes[:-1] == [12] * (len(sizes) - 1)


# Clipping and gradient scaling ---------------------------------------------------------------


@pytest.mark.parametrize("model", ["gcn[dropout=0]", "gin[dropout=0]"])
def test_clipping_sees_unscaled_gradients_in_fp16(make_spec, model):
    plain, scaled = (
        LiveRun(make_spec(arm, model=model, clip_norm=1e-2)) for arm in ("", "amp[dtype=fp16]")
    )
    for run in (plain, scaled):
        run.train_on([collate(run.graphs, run.train[:16])])
    assert float(scaled.gradient_norm) == pytest.approx(float(plain.gradient_norm), rel=0.05)
    clipped = torch.nn.utils.get_total_norm(gradients(scaled))
    assert float(clipped) == pytest.approx(1e-2, rel=1e-3)


class OnlyScaled(Planted):
    """Scale gradients in fp32: by powers of two, which changes no bit."""

    def grad_scaler(self, run):
        return torch.amp.GradScaler(run.device.type, init_scale=2.0**10, growth_interval=2)


def test_a_gradient_scaler_by_powers_of_two_changes_no_bit_with_fused_adam(make_spec):
    plain, scaled = LiveRun(make_spec()), LiveRun(make_spec((OnlyScaled(),)))
    for run in (plain, scaled):
        run.seed_epoch()
        for window, graphs in run.windows(0):
            run.train_window(window, graphs)
    assert not differences(plain.model.state_dict(), scaled.model.state_dict())
    assert not differences(plain.optimizer.state_dict(), scaled.optimizer.state_dict())


def test_a_step_whose_gradients_overflow_is_skipped(make_spec):
    class Overflowing(Planted):
        def grad_scaler(self, run):
            return torch.amp.GradScaler(run.device.type, init_scale=2.0**127)

        def criterion(self, run):
            del run
            return lambda logits, label: 1e3 * functional.cross_entropy(logits, label)[None]

    run = LiveRun(make_spec((Overflowing(),), clip_norm=1.0))
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    loss = run.train_on([collate(run.graphs, run.train[:16])])
    assert np.isfinite(loss)
    assert not np.isfinite(float(run.gradient_norm))
    assert not differences(before, run.model.state_dict())
    assert run.scaler.get_scale() == 2.0**126


def test_without_clipping_the_gradients_norm_is_known_all_the_same(make_spec):
    model = "gcn[dropout=0]"
    clipped, free = (LiveRun(make_spec(model=model, clip_norm=limit)) for limit in (1e6, 0))
    for run in (clipped, free):
        run.train_on([collate(run.graphs, run.train[:16])])
    assert float(free.gradient_norm) == pytest.approx(float(clipped.gradient_norm), rel=1e-6)
    assert not differences(gradients(clipped), gradients(free))


# What features are asked for -----------------------------------------------------------------


def test_each_slot_is_asked_once_when_what_it_depends_on_is_there(make_spec):
    asked = []

    class Curious(Planted):
        def parameter_groups(self, run):
            asked.append("parameter_groups")
            return [ParameterGroup("all", list(run.model.parameters()), factor=0.5)]

        def optimizer(self, run, groups):
            asked.append("optimizer")
            return adam(groups, run.settings)

        def sampler(self, run):
            asked.append("sampler")
            return run.default_sampler()

        def class_weights(self, run):
            asked.append("class_weights")
            assert len(run.order(0)) == len(run.train)
            return torch.ones(2)

        def learning_rate(self, run):
            asked.append("learning_rate")
            assert run.optimizer.param_groups[0]["lr"] == 0.5 * run.settings.learning_rate
            assert run.train_on(next(run.windows(0))[0]) > 0
            return 0.125

        def scheduler(self, run):
            asked.append("scheduler")
            assert run.optimizer.param_groups[0]["lr"] == 0.0625
            return run.default_schedule()

    run = LiveRun(make_spec((Curious(),)))
    assert asked == [
        "parameter_groups", "optimizer", "sampler", "class_weights", "learning_rate", "scheduler",
    ]  # fmt: skip
    assert run.optimizer.param_groups[0]["name"] == "all"
    assert run.learning_rate() == 0.0625


@pytest.mark.parametrize(
    ("hook", "gives", "message"),
    [
        ("accumulation_window", 0, "slot 'accumulation_window': the window is 0"),
        ("parameter_groups", [], "slot 'parameter_groups': no parameter group holds 'type_emb"),
    ],
)
def test_what_cannot_be_used_names_slot_and_feature(make_spec, hook, gives, message):
    feature = type("Wrong", (Planted,), {hook: lambda self, run: gives})()
    with pytest.raises(UsageError, match=f"planted: {message}"):
        LiveRun(make_spec((feature,)))


def test_an_optimizer_over_other_groups_names_its_feature(make_spec):
    class Stray(Planted):
        def optimizer(self, run, groups):
            return adam([*groups[:0], ParameterGroup("a", [run.model.head[0].bias])], run.settings)

    with pytest.raises(UsageError, match="planted: slot 'optimizer': the optimizer is not over"):
        LiveRun(make_spec((Stray(),)))


def test_wraps_nest_by_order_and_events_after_work_run_in_reverse(make_spec):
    seen = []

    class Outer(Planted):
        name: ClassVar[str] = "outer"
        order: ClassVar[int] = -1

        @contextmanager
        def around_forward(self, run):
            del run
            seen.append(f"+{self.name}")
            yield
            seen.append(f"-{self.name}")

        def on_batch_end(self, run):
            seen.append(f"batch {self.name} {run.step}")

        def on_epoch_start(self, run):
            del run
            seen.append(f"start {self.name}")

        def on_epoch_end(self, run):
            del run
            seen.append(f"end {self.name}")

    class Inner(Outer):
        name: ClassVar[str] = "inner"
        order: ClassVar[int] = 3

    run = LiveRun(make_spec((Outer(), Inner())))
    run.emit("on_epoch_start")
    run.train_on([collate(run.graphs, run.train[:8])])
    run.emit("on_epoch_end")
    assert seen == [
        "start outer", "start inner", "+outer", "+inner", "-inner", "-outer",
        "batch inner 1", "batch outer 1", "end inner", "end outer",
    ]  # fmt: skip


def test_a_batch_of_a_window_is_seen_before_the_step_and_the_last_one_after_it(make_spec):
    seen = []

    class Watching(Planted):
        def on_batch_end(self, run):
            seen.append((run.batch.num_graphs, run.step, run.loss is None))

    run = LiveRun(make_spec((Watching(),)))
    run.train_on(run.batches(run.train[:35]))
    assert seen == [(16, 0, True), (16, 0, True), (3, 1, False)]
    with run.without_events():
        run.train_on(run.batches(run.train[:3]))
    assert len(seen) == 3


# Randomness ----------------------------------------------------------------------------------


def test_weights_order_and_dropout_are_those_of_the_seed_in_every_arm(make_spec):
    arms = ("", "swa+focal_loss+amp", "param_groups+class_weights")
    runs = [LiveRun(make_spec(arm, seed=3)) for arm in arms]
    for other in runs[1:]:
        assert not differences(runs[0].model.state_dict(), other.model.state_dict())
        assert np.array_equal(runs[0].order(4), other.order(4))
    other = LiveRun(make_spec(seed=4))
    assert differences(runs[0].model.state_dict(), other.model.state_dict())


def test_the_order_is_a_permutation_that_follows_seed_and_epoch_alone(make_spec):
    run = LiveRun(make_spec())
    assert sorted(run.order(0)) == run.train.tolist()
    assert np.array_equal(run.order(1), run.order(1))
    assert not np.array_equal(run.order(1), run.order(2))


def test_each_epoch_has_a_random_stream_of_its_own(make_spec):
    def draw(epoch, disturb):
        run = LiveRun(make_spec())
        run.epoch = epoch
        torch.rand(disturb)
        run.seed_epoch()
        return torch.rand(4).tolist()

    assert draw(1, 0) == draw(1, 17)
    assert draw(1, 0) != draw(2, 0)


def test_a_note_is_kept_once(make_spec):
    run = LiveRun(make_spec())
    run.say("one")
    run.say("two")
    run.say("one")
    assert run.notes == ["one", "two"]
