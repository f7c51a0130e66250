"""Distributed training: shares that add up to one process's batch, gradients that are its own."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections import Counter
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed, nn

from features.ddp import DDP, Ranks, SyncedBatchNorm, synchronise_batchnorm
from harness.errors import NotMeasuredError, UsageError
from harness.feature import Claim, Feature, register
from harness.metrics import Confusion, predict
from harness.registry import import_plugin
from harness.testing import planted_graphs
from harness.training import checkpoint
from harness.training.fit import FitSession, fit
from harness.training.live import LiveRun
from harness.training.ranks import fit_in_ranks

WORLD = 2

forked = pytest.mark.timeout(120)


def _rank(rank, world):
    """A rank of a group that was never formed, for what needs no exchange."""
    one = object.__new__(Ranks)
    one.rank, one.world = rank, world
    return one


def _in_ranks(call, spec, world=WORLD):
    """What ``call(spec)`` gives in each rank, by rank."""

    def gathered(one):
        found = [None] * world
        distributed.all_gather_object(found, call(one))
        return found

    return fit_in_ranks(gathered, spec, world)


# Shares --------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 99), min_size=1, max_size=40), st.integers(1, 7))
def test_shares_are_equally_long_and_interleave_to_the_whole(places, world):
    whole = np.array(places)
    shares = [_rank(rank, world).share(whole) for rank in range(world)]
    assert len({len(share) for share in shares}) == 1
    together = np.stack(shares, axis=1).ravel()
    assert together[: len(whole)].tolist() == places
    assert len(together) - len(whole) < world


@forked
@pytest.mark.parametrize("arm", ["ddp", "ddp+weighted_sampler"])
def test_the_ranks_batches_are_those_of_one_process_step_by_step(make_spec, arm):
    graphs = planted_graphs(100, seed=2)
    spec = make_spec(arm, graphs=graphs, batch_size=16)

    def steps(one):
        run = LiveRun(one)
        return [
            sorted(place for batch in window for place in batch.index.tolist())
            for epoch in range(2)
            for window, _ in run.windows(epoch)
        ]

    first, second = _in_ranks(steps, spec)
    alone = steps(make_spec(arm.partition("+")[2], graphs=graphs, batch_size=16))
    assert len(first) == len(second) == len(alone)
    for ours, theirs, whole in zip(first, second, alone, strict=True):
        assert len(ours) == len(theirs)
        more = Counter(ours + theirs)
        more.subtract(whole)  # the last step of an epoch may be filled up by one graph
        assert min(more.values()) == 0
        assert more.total() < WORLD


# Gradients -----------------------------------------------------------------------------------


def _gradients(spec):
    run = LiveRun(spec)
    window, graphs = next(iter(run.windows(0)))
    run.model.train()
    run.seed_epoch()
    run.train_window(window, graphs)
    return float(run.loss), {
        name: parameter.grad.clone() for name, parameter in run.model.named_parameters()
    }


@forked
@pytest.mark.parametrize("model", ["gcn", "gat", "sage", "gin"])
def test_gradients_are_those_of_one_process_on_the_whole_batch(make_spec, model):
    spec = make_spec("ddp", model=f"{model}[dropout=0.0]", batch_size=32, clip_norm=0.0)
    both = _in_ranks(_gradients, spec)
    loss, wanted = _gradients(spec.with_arm(()))
    for found_loss, found in both:
        assert found_loss == pytest.approx(loss, rel=1e-5)
        assert found.keys() == wanted.keys()
        largest = max(float(gradient.abs().max()) for gradient in wanted.values())
        for name, gradient in wanted.items():
            assert torch.allclose(found[name], gradient, atol=1e-5 * largest, rtol=1e-4), name


@forked
def test_parameters_that_are_frozen_and_freed_again_stay_equal(make_spec):
    spec = make_spec("ddp", model="gcn[dropout=0.0]", batch_size=16)

    def freezing(one):
        run = LiveRun(one)
        first = next(iter(run.model.parameters()))
        kept, seen = first.detach().clone(), []
        for epoch, trainable in enumerate((True, False, True)):
            first.requires_grad_(trainable)
            for window, graphs in run.windows(epoch):
                run.train_window(window, graphs)
            seen.append(torch.equal(first, kept))
            kept = first.detach().clone()
        return seen, {name: value.clone() for name, value in run.model.state_dict().items()}

    (moved, state), (_, other) = _in_ranks(freezing, spec)
    assert moved == [False, True, False]
    assert all(torch.equal(state[name], other[name]) for name in state)


@forked
def test_batchnorm_of_shares_alone_is_another_model(make_spec):
    spec = make_spec("ddp[sync_batchnorm=false]", model="gin[dropout=0.0]", batch_size=32)
    (loss, _), _ = _in_ranks(_gradients, spec)
    wanted, _ = _gradients(spec.with_arm(()))
    assert loss != pytest.approx(wanted, rel=1e-5)


@forked
def test_synchronised_batchnorm_is_batchnorm_of_all_rows(make_spec):
    rows = torch.randn(24, 5, generator=torch.Generator().manual_seed(0)) * 3 + 1

    def normalised(spec):
        rank = distributed.get_rank()
        model = nn.Sequential(nn.BatchNorm1d(5))
        synchronise_batchnorm(model)
        out = [model(rows[rank::WORLD]).detach() for _ in range(3)][-1]
        model.eval()
        state = {name: value.clone() for name, value in model.state_dict().items()}
        return out, state, model(rows[:4]).detach()

    found = _in_ranks(normalised, make_spec())
    plain = nn.BatchNorm1d(5)
    wanted = [plain(rows).detach() for _ in range(3)][-1]
    plain.eval()
    for rank, (out, state, later) in enumerate(found):
        assert torch.allclose(out, wanted[rank::WORLD], atol=1e-6)
        assert torch.allclose(later, plain(rows[:4]), atol=1e-6)
        for name, value in plain.state_dict().items():
            assert torch.allclose(state[f"0.{name}"], value, atol=1e-6), name


def test_only_plain_batchnorm_is_exchanged():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3), nn.BatchNorm2d(3))
    before = model.state_dict().keys()
    synchronise_batchnorm(model)
    assert [type(module) for module in model] == [SyncedBatchNorm, nn.Linear, nn.BatchNorm2d]
    assert model.state_dict().keys() == before


# Whole fits ----------------------------------------------------------------------------------


@forked
def test_a_fit_without_dropout_goes_as_in_one_process(make_spec):
    graphs = planted_graphs(160, seed=3)
    spec = make_spec("ddp+weighted_sampler", model="gin[dropout=0.0]", graphs=graphs, epochs=4)
    found, alone = fit(spec), fit(_without_ddp(spec))
    for ours, theirs in zip(found.history, alone.history, strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=0.02)
        assert ours.select_loss == pytest.approx(theirs.select_loss, rel=0.05)
        assert ours.steps == theirs.steps
    assert np.array_equal(found.gate.index, alone.gate.index)
    assert np.array_equal(found.gate.label, alone.gate.label)


def _without_ddp(spec):
    return spec.with_arm(tuple(one for one in spec.arm if one.name != "ddp"))


@forked
def test_scores_are_gathered_in_order_on_every_rank(make_spec):
    spec = make_spec("ddp", graphs=planted_graphs(75, seed=5), epochs=2)

    def scored(one):
        found = FitSession(one)
        while not found.ended:
            found.run_epoch()
        result = found.finish()
        return result.gate, [record.f1 for record in result.history], result.state

    (gate, history, state), (other, other_history, other_state) = _in_ranks(scored, spec)
    assert np.array_equal(gate.probability, other.probability)
    assert np.array_equal(gate.index, spec.split.gate)
    assert np.array_equal(gate.label, spec.graphs.label[spec.split.gate])
    assert history == other_history
    assert all(torch.equal(state[name], other_state[name]) for name in state)
    # One process that is given the weights says the same of the same graphs.
    run = LiveRun(_without_ddp(spec))
    run.model.load_state_dict(state)
    run.model.eval()
    with torch.no_grad():
        said = [run.forward(batch, run.model).softmax(1)[:, 1] for batch in run.batches(gate.index)]
    assert torch.allclose(torch.cat(said), torch.from_numpy(gate.probability), atol=1e-5)


@forked
def test_dropout_differs_between_ranks_and_repeats_with_the_seed(make_spec):
    spec = make_spec("ddp", model="gcn[dropout=0.5]")

    def draws(one):
        run = LiveRun(one)
        run.seed_epoch()
        return torch.rand(4).tolist()

    first, second = _in_ranks(draws, spec)
    assert first != second
    assert [first, second] == _in_ranks(draws, spec)


@forked
def test_the_first_rank_alone_writes(make_spec, tmp_path):
    spec = make_spec("ddp", folder=tmp_path / "run", cache=tmp_path / "cache")

    def folders(one):
        run = LiveRun(one)
        return str(run.folder), str(run.cache)

    assert _in_ranks(folders, spec) == [(str(spec.folder), "None"), ("None", "None")]
    found = fit(spec)
    stored = checkpoint.load(spec.folder / checkpoint.LAST)
    assert stored["epoch"] == len(found.history) - 1


@register
class _OnlyRankOne(Feature):
    """Sleep or die in the second rank."""

    name: ClassVar[str] = "planted_rank_one"
    claim: ClassVar[Claim] = Claim.INSIGHT

    def on_epoch_end(self, run):
        if run.parallel.rank != 1:
            return
        if os.environ.get("PLANTED_RANK") == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if os.environ.get("PLANTED_RANK") == "raise":
            raise RuntimeError("planted failure")
        time.sleep(0.5)


@forked
def test_times_are_those_of_the_slowest_rank(make_spec):
    found = fit(make_spec("ddp+planted_rank_one", epochs=1))
    assert found.train_seconds[0] > 0.5
    assert found.history[0].train_seconds > 0.5


@forked
@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("die", "rank 1 of 2 was killed by SIGKILL, as the system does when memory runs out"),
        ("raise", "rank 1 of 2 failed: RuntimeError: planted failure"),
    ],
)
def test_a_rank_that_ends_ends_the_fit_and_is_named(make_spec, monkeypatch, way, said):
    monkeypatch.setenv("PLANTED_RANK", way)
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with pytest.raises(NotMeasuredError) as caught:
        fit(make_spec("ddp+planted_rank_one", epochs=2))
    assert said in caught.value.what
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers


@forked
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"batch_size": 15}, "a batch of 15 graphs cannot be shared by 2 ranks equally"),
        ({"batch_nodes": 500}, "ranks cannot share batches that are cut by their nodes"),
    ],
)
def test_batches_that_cannot_be_shared_are_refused_by_name(make_spec, more, said):
    with pytest.raises(UsageError, match=said) as caught:
        fit(make_spec("ddp", **more))
    assert caught.value.where == "ddp"


def test_one_rank_is_the_run_itself(make_spec):
    spec = make_spec("ddp[ranks=1]")
    found, alone = fit(spec), fit(spec.with_arm(()))
    assert np.array_equal(found.gate.probability, alone.gate.probability)


@forked
def test_more_ranks_than_graphs_of_a_part_still_agree(make_spec):
    spec = make_spec("ddp[ranks=4]", epochs=1, batch_size=16)
    few = replace(spec, split=replace(spec.split, gate=spec.split.gate[:3]))
    found = fit(few)
    assert len(found.gate.probability) == 3


@forked
def test_a_store_that_an_earlier_fit_left_behind_does_not_stop_a_rank(make_spec):
    def collect(one):
        return gc.collect()

    gc.disable()
    try:
        left = [distributed.TCPStore("localhost", 0, is_master=True, wait_for_workers=False)]
        left.append(left)  # only a collection releases it
        del left
        assert fit_in_ranks(collect, make_spec(), WORLD) >= 0
    finally:
        gc.enable()


@forked
def test_every_fit_of_an_ensemble_is_distributed(make_spec):
    found = fit(make_spec("ddp+ensemble[members=2]", epochs=1))
    gate = Confusion.of(found.gate.label, predict(found.gate.probability, found.threshold))
    assert 0 <= gate.f1 <= 1
    assert any("ensemble: 2 members" in note for note in found.notes)


@forked
def test_an_error_that_all_ranks_meet_is_the_fits_own(make_spec):
    def refuse(one):
        raise UsageError("cannot be done", where=one.seed, mend="do something else")

    for _ in range(3):
        with pytest.raises(UsageError, match="cannot be done") as caught:
            fit_in_ranks(refuse, make_spec(), WORLD)
        assert caught.value.mend == "do something else"


@forked
def test_a_damaged_checkpoint_is_told_as_of_one_process(make_spec, tmp_path):
    spec = make_spec("ddp", folder=tmp_path / "run")
    fit(spec)
    last = spec.folder / checkpoint.LAST
    content = last.read_bytes()
    last.write_bytes(content[: len(content) // 2])
    with pytest.raises(checkpoint.DamagedCheckpointError) as caught:
        fit(replace(spec, resume=True))
    assert caught.value.where == str(last)


@pytest.mark.slow
@forked
def test_ranks_that_begin_with_nothing_find_the_same(make_spec, monkeypatch, tmp_path):
    plugin = tmp_path / "lazy_plugin.py"
    plugin.write_text(
        "from typing import ClassVar\n"
        "from harness import Claim, Feature, register\n"
        "@register\n"
        "class Lazy(Feature):\n"
        "    name: ClassVar[str] = 'planted_lazy'\n"
        "    claim: ClassVar[Claim] = Claim.INSIGHT\n"
    )
    import_plugin(plugin)
    spec = make_spec("ddp+planted_lazy", epochs=2)
    forked_ones = fit(spec)
    monkeypatch.setattr("harness.training.ranks._start_method", lambda spec: "spawn")
    spawned = fit(spec, on_epoch=lambda record: None)
    assert np.array_equal(forked_ones.gate.probability, spawned.gate.probability)


def test_the_card_says_that_it_claims_scale():
    assert DDP.claim is Claim.SCALE
