"""Averages of weights: what enters them, the statistics they get, the rate they are taken at."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import pytest
import torch
from pydantic import PrivateAttr
from torch import nn
from torch_geometric.nn import global_add_pool
from torch_geometric.nn.norm import BatchNorm, HeteroBatchNorm, InstanceNorm

from features.swa import SWA, refresh_statistics
from harness.feature import Claim, Feature
from harness.graphs.batch import collate
from harness.testing import differences
from harness.training.fit import FitSession, fit
from harness.training.live import LiveRun


class Recorder(Feature):
    """Keep the weights of every epoch and of every optimizer step."""

    name: ClassVar[str] = "recorder"
    claim: ClassVar[Claim] = Claim.INSIGHT

    _weights: list[dict[str, torch.Tensor]] = PrivateAttr(default_factory=list)
    _steps: dict[int, dict[str, torch.Tensor]] = PrivateAttr(default_factory=dict)

    def on_epoch_end(self, run):
        self._weights.append(weights_of(run.model))

    def on_batch_end(self, run):
        self._steps[run.step] = weights_of(run.model)


def weights_of(model):
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def trained(spec):
    """A finished session of an arm of swa and recorder, with both features."""
    session = FitSession(spec)
    while not session.ended:
        session.run_epoch()
    return session, *session.run.arm


# The average ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "first"), [(0, 0), (0.5, 3), (0.75, 4), (0.99, 5)])
def test_the_average_is_the_mean_of_the_epochs_from_start_on(make_spec, start, first):
    spec = make_spec((SWA(start=start), Recorder()), model="gin", epochs=6, learning_rate=0.01)
    _, swa, recorder = trained(spec)
    assert len(recorder._weights) == 6
    kept = recorder._weights[first:]
    assert int(swa._average.n_averaged) == len(kept)
    for name, value in swa._average.module.named_parameters():
        wanted = np.mean([one[name].numpy().astype(np.float64) for one in kept], axis=0)
        assert value.detach().numpy() == pytest.approx(wanted, rel=1e-5, abs=1e-7)


def test_until_then_the_model_itself_is_evaluated_and_then_the_average(make_spec):
    session = FitSession(make_spec((SWA(start=0.5),), epochs=4))
    (swa,) = session.run.arm
    seen = []
    while not session.ended:
        session.run_epoch()
        session.run.epoch -= 1
        seen.append(session.run.model_to_evaluate() is session.run.model)
        session.run.epoch += 1
    assert seen == [True, True, False, False]
    assert session.run.model is not swa._average.module


def test_epochs_before_the_average_are_those_of_a_run_without_it(make_spec):
    with_it, without = (fit(make_spec(arm, epochs=4)) for arm in ("swa[start=0.5]", ""))
    assert not differences(with_it.history[:2], without.history[:2])
    assert differences(with_it.history[2:], without.history[2:])


def test_the_chosen_weights_are_the_average_where_it_was_chosen(make_spec):
    session, swa, _ = trained(make_spec((SWA(start=0), Recorder()), model="gin", epochs=1))
    assert not differences(session.finish().state, dict(swa._average.module.state_dict()))


# BatchNorm statistics ------------------------------------------------------------------------


def norms_of(model):
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm1d)]


def inputs_by_batch(run, model, norm):
    """What a BatchNorm is given, batch by batch: a list of ``[N_b, H]`` in double precision."""
    seen = []
    hook = norm.register_forward_pre_hook(lambda module, given: seen.append(given[0].double()))
    model.train()
    with torch.no_grad():
        for batch in run.batches(run.train):
            run.forward(batch, model)
    hook.remove()
    return seen


@pytest.fixture
def gin(make_spec):
    """A run of GIN without dropout, and its BatchNorms: ``gin(batch_size=8)``."""

    def make(**settings):
        run = LiveRun(make_spec(model="gin[dropout=0]", **settings))
        return run, norms_of(run.model)

    return make


def test_the_first_mean_is_that_of_all_training_nodes_however_they_are_batched(gin):
    run, (norm, *_) = gin(batch_size=7)
    parts = inputs_by_batch(run, run.model, norm)
    assert len({len(part) for part in parts}) > 1
    refresh_statistics(run.model, run.batches(run.train), run)
    wanted = torch.cat(parts).mean(0).numpy()
    assert norm.running_mean.numpy() == pytest.approx(wanted, rel=1e-4, abs=1e-6)


def test_the_variance_is_the_node_weighted_mean_of_the_batches_variances(gin):
    run, (norm, *_) = gin(batch_size=7)
    parts = inputs_by_batch(run, run.model, norm)
    refresh_statistics(run.model, run.batches(run.train), run)
    nodes = np.array([len(part) for part in parts], dtype=float)
    variances = np.stack([part.var(0).numpy() for part in parts])
    within = (nodes[:, None] * variances).sum(0) / nodes.sum()
    assert norm.running_var.numpy() == pytest.approx(within, rel=1e-4)
    # What it leaves out, as the card says: how far the means of the batches lie apart.
    means = np.stack([part.mean(0).numpy() for part in parts])
    between = (nodes[:, None] * (means - norm.running_mean.numpy()) ** 2).sum(0) / nodes.sum()
    assert norm.running_var.numpy() + between == pytest.approx(
        torch.cat(parts).var(0).numpy(), rel=0.02
    )


def test_one_batch_of_everything_gives_every_statistic_exactly(gin):
    run, norms = gin(batch_size=1000)
    parts = [inputs_by_batch(run, run.model, norm)[0] for norm in norms]
    refresh_statistics(run.model, run.batches(run.train), run)
    for norm, part in zip(norms, parts, strict=True):
        assert norm.running_mean.numpy() == pytest.approx(part.mean(0).numpy(), rel=1e-4, abs=1e-5)
        assert norm.running_var.numpy() == pytest.approx(part.var(0).numpy(), rel=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_mode_momenta_weights_and_random_generators_are_put_back(make_spec, training):
    run = LiveRun(make_spec(model="gin"))
    run.model.train(training)
    weights = [parameter.clone() for parameter in run.model.parameters()]
    state = torch.get_rng_state()
    refresh_statistics(run.model, run.batches(run.train), run)
    assert run.model.training is training
    assert {norm.momentum for norm in norms_of(run.model)} == {0.1}
    assert torch.equal(torch.get_rng_state(), state)
    assert not differences(weights, list(run.model.parameters()))


def test_statistics_of_the_average_are_its_own_and_not_those_of_the_last_epoch(make_spec):
    spec = make_spec((SWA(start=0), Recorder()), model="gin[dropout=0]", epochs=3)
    session, swa, _ = trained(spec)
    average = swa._average.module
    (norm, *_), (raw, *_) = norms_of(average), norms_of(session.run.model)
    parts = inputs_by_batch(session.run, average, norm)
    assert norm.running_mean.numpy() != pytest.approx(raw.running_mean.numpy(), rel=1e-2)
    refresh_statistics(average, session.run.batches(session.run.train), session.run)
    wanted = torch.cat(parts).mean(0).numpy()
    assert norm.running_mean.numpy() == pytest.approx(wanted, rel=1e-4, abs=1e-6)


def test_a_model_without_batchnorm_costs_no_pass(make_spec):
    run = LiveRun(make_spec(model="gcn"))

    def batches():
        raise AssertionError("no batch is needed")
        yield

    refresh_statistics(run.model, batches(), run)


# The schedule --------------------------------------------------------------------------------


def rates(make_spec, arm, **settings):
    spec = make_spec(arm, epochs=8, learning_rate=0.01, **settings)
    return [record.learning_rate for record in fit(spec).history]


@pytest.mark.parametrize("schedule", ["constant", "plateau", "cosine"])
@pytest.mark.parametrize("anneal", [0, 1, 2, 3])
def test_the_runs_own_schedule_comes_first_and_anneals_to_the_constant_rate(
    make_spec, schedule, anneal
):
    found = rates(make_spec, f"swa[start=0.5,lr_factor=0.3,anneal={anneal}]", schedule=schedule)
    plain = rates(make_spec, "", schedule=schedule)
    assert found[:4] == plain[:4]
    for epoch in range(4, 8):
        done = 1.0 if anneal == 0 else min(1.0, (epoch - 3) / anneal)
        share = (1 - math.cos(math.pi * done)) / 2
        assert found[epoch] == pytest.approx(0.003 * share + plain[3] * (1 - share), rel=1e-6)


def test_each_group_anneals_to_a_share_of_its_own_rate(make_spec):
    arm = "param_groups[encoder=0.1]+swa[start=0.5,lr_factor=0.5,anneal=1]"
    session = FitSession(make_spec(arm, epochs=6, learning_rate=0.01, schedule="constant"))
    while not session.ended:
        session.run_epoch()
    found = {group["name"]: group["lr"] for group in session.run.optimizer.param_groups}
    assert found["encoder"] == pytest.approx(0.0005)
    assert found["head"] == pytest.approx(0.005)


def test_the_rate_is_left_alone_before_the_first_epoch(make_spec):
    run = LiveRun(make_spec("swa[start=0]+param_groups", learning_rate=0.01))
    assert run.learning_rate() == 0.01


# Exponential averages ------------------------------------------------------------------------


def exponential(weights, length):
    """The average of weights, in double precision, from its definition as a weighted sum."""
    share = np.ones(1)
    for count in range(1, len(weights)):
        latest = max(1 / (count + 1), 1 / length)
        share = np.append(share * (1 - latest), latest)
    assert share.sum() == pytest.approx(1)
    return {
        name: sum(
            w * one[name].numpy().astype(np.float64) for w, one in zip(share, weights, strict=True)
        )
        for name in weights[0]
    }


def holds(average, wanted):
    for name, value in average.module.named_parameters():
        assert value.detach().numpy() == pytest.approx(wanted[name], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(("start", "window"), [(0, 2), (0.3, 3.5), (0.5, 1)])
def test_ewa_is_the_exponential_average_of_the_epochs_last_weights(make_spec, start, window):
    feature = SWA(average="ewa", start=start, window=window)
    _, swa, recorder = trained(
        make_spec((feature, Recorder()), model="gin", epochs=8, learning_rate=0.01)
    )
    holds(swa._average, exponential(recorder._weights[int(start * 8) :], window))


@pytest.mark.parametrize(("start", "window"), [(0, 2), (0.5, 1), (0.25, 1.5)])
def test_ema_is_the_exponential_average_of_the_steps_weights(make_spec, start, window):
    feature = SWA(average="ema", start=start, window=window)
    _, swa, recorder = trained(
        make_spec((feature, Recorder()), model="gin", epochs=8, learning_rate=0.01)
    )
    steps = [recorder._steps[step] for step in sorted(recorder._steps)]
    an_epoch = len(steps) // 8
    assert an_epoch == 3
    assert int(swa._average.n_averaged) == len(steps) - int(start * 8) * an_epoch
    holds(swa._average, exponential(steps[-int(swa._average.n_averaged) :], window * an_epoch))


def test_ema_counts_steps_and_not_the_batches_of_a_window(make_spec):
    class Window(Feature):
        name: ClassVar[str] = "window_of_two"
        claim: ClassVar[Claim] = Claim.MEMORY

        def accumulation_window(self, run):
            return 2

    spec = make_spec((SWA(average="ema", start=0), Window(), Recorder()), epochs=3)
    session = FitSession(spec)
    while not session.ended:
        session.run_epoch()
    swa = session.run.arm[0]
    assert session.run.step == 6
    assert int(swa._average.n_averaged) == 6
    assert swa.length(session.run) == 4.0


def test_a_range_test_leaves_no_weights_in_the_average(make_spec):
    session, *_ = trained(make_spec("lr_finder[steps=10]+swa[average=ema,start=0]", epochs=2))
    (swa,) = (one for one in session.run.arm if one.name == "swa")
    assert int(swa._average.n_averaged) == 6


def test_the_last_weights_are_a_window_of_one(make_spec):
    _, swa, recorder = trained(make_spec((SWA(average="ewa", window=1), Recorder()), epochs=4))
    holds(swa._average, {name: one.numpy() for name, one in recorder._weights[-1].items()})


@pytest.mark.parametrize("average", ["ema", "ewa"])
@pytest.mark.parametrize("schedule", ["constant", "plateau", "cosine"])
def test_exponential_averages_leave_training_and_its_rates_alone(make_spec, average, schedule):
    values = {"epochs": 6, "learning_rate": 0.01, "schedule": schedule}
    session = FitSession(make_spec((SWA(average=average), Recorder()), **values))
    plain = FitSession(make_spec((Recorder(),), **values))
    for one in (session, plain):
        while not one.ended:
            one.run_epoch()
    if schedule != "plateau":
        assert not differences(session.run.arm[1]._weights, plain.run.arm[0]._weights)
    assert not differences(session.run.history[0], plain.run.history[0])


# What is chosen ------------------------------------------------------------------------------


@pytest.mark.parametrize("average", ["swa", "ema", "ewa"])
def test_at_its_defaults_half_of_a_short_run_is_judged_by_averages(make_spec, average):
    found, plain = (
        fit(make_spec(arm, epochs=12, learning_rate=0.01))
        for arm in (f"swa[average={average}]", "")
    )
    assert not differences(found.history[:6], plain.history[:6])
    for one, other in zip(found.history[7:], plain.history[7:], strict=True):
        assert one.select_loss != other.select_loss


# Norms of PyG --------------------------------------------------------------------------------


class Norms(nn.Module):
    """Norms of nodes by type, of nodes and of graphs, as a user's model may have them."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(12, 8)
        self.by_type = HeteroBatchNorm(8, 12)
        self.nodes = BatchNorm(8)
        self.instance = InstanceNorm(8)
        self.graphs = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 2)

    def forward(self, x, edge_index, batch):
        hidden = self.by_type(self.embedding(x[:, 0]) + x[:, 1:] / 32, x[:, 0])
        hidden = self.instance(self.nodes(hidden), batch)
        return self.head(self.graphs(global_add_pool(hidden, batch)))


def test_a_norm_by_type_gets_the_mean_of_each_types_nodes(make_spec):
    run = LiveRun(make_spec(batch_size=7))
    model = Norms()
    refresh_statistics(model, run.batches(run.train), run)
    batches = list(run.batches(run.train))
    types = torch.cat([batch.x[:, 0] for batch in batches])
    tokens = torch.cat([batch.x[:, 1] for batch in batches])
    given = model.embedding(types).detach() + tokens[:, None] / 32
    for kind in range(12):
        rows = given[types == kind]
        if not len(rows):
            assert (model.by_type.running_mean[kind] == 0).all()
            continue
        wanted = rows.mean(0).numpy()
        assert model.by_type.running_mean[kind].numpy() == pytest.approx(wanted, abs=1e-4)
        assert int(batches[0].num_graphs) < len(run.train)
    assert model.by_type.momentum == 0.1


def test_a_norm_of_graphs_weighs_batches_by_graphs_and_one_of_nodes_by_nodes(make_spec):
    run = LiveRun(make_spec(batch_size=25))
    sizes = [batch.num_graphs for batch in run.batches(run.train)]
    assert len(set(sizes)) > 1
    model = Norms()
    for norm in (model.graphs, model.nodes.module):
        parts = inputs_by_batch(run, model, norm)
        refresh_statistics(model, run.batches(run.train), run)
        wanted = torch.cat(parts).mean(0).numpy()
        assert norm.running_mean.numpy() == pytest.approx(wanted, rel=1e-3, abs=1e-4)
        assert not norm._forward_pre_hooks


def test_plateau_lowers_the_rate_before_the_average_and_the_average_starts_from_there(make_spec):
    run = LiveRun(make_spec("swa[start=0.5,lr_factor=0.3,anneal=2]", epochs=20, learning_rate=0.01))
    run.optimizer.step()
    rates = []
    for _ in range(14):
        rates.append(run.learning_rate())
        run.schedule.after_epoch(0.5)  # no better from the second epoch on
    assert rates[5] == pytest.approx(0.005)
    assert rates[9] == pytest.approx(0.0025)
    assert rates[10] == pytest.approx((0.0025 + 0.003) / 2)
    assert rates[11:] == pytest.approx([0.003] * 3)


def test_plateau_reads_the_average_from_its_first_epoch_on(make_spec):
    values = {"epochs": 16, "learning_rate": 0.01, "schedule": "plateau"}
    for average in ("ema", "ewa"):
        history = fit(make_spec(f"swa[average={average},start=0]", **values)).history
        wanted, best, waited, rate = [], -1.0, 0, 0.01
        for record in history:
            wanted.append(rate)
            waited = 0 if record.f1 > best * (1 + 1e-4) else waited + 1
            best = max(best, record.f1) if waited == 0 else best
            if waited > 3:
                rate, waited = rate / 2, 0
        assert [record.learning_rate for record in history] == pytest.approx(wanted)


# Resuming ------------------------------------------------------------------------------------


@pytest.mark.parametrize("average", ["swa", "ema", "ewa"])
@pytest.mark.parametrize("stop_after", [1, 2, 3, 4])
def test_a_run_resumed_before_or_within_the_averaging_averages_the_same_epochs(
    make_spec, tmp_path, average, stop_after
):
    values = {"model": "gin", "epochs": 5, "schedule": "cosine"}
    _, whole, _ = trained(make_spec((SWA(average=average, start=0.5), Recorder()), **values))
    places = {"folder": tmp_path, "resume": True}
    session = FitSession(
        make_spec((SWA(average=average, start=0.5), Recorder()), **values, **places)
    )
    for _ in range(stop_after):
        session.run_epoch()
    _, resumed, _ = trained(
        make_spec((SWA(average=average, start=0.5), Recorder()), **values, **places)
    )
    assert int(resumed._average.n_averaged) == (9 if average == "ema" else 3)
    assert not differences(whole._average.state_dict(), resumed._average.state_dict())


def test_a_batch_of_pyg_is_what_torchs_own_update_cannot_call(make_spec):
    """Why ``refresh_statistics`` exists; if this fails, torch has learnt to do it."""
    run = LiveRun(make_spec(model="gin"))
    with pytest.raises((TypeError, AttributeError)):
        torch.optim.swa_utils.update_bn([collate(run.graphs, run.train[:4])], run.model)
