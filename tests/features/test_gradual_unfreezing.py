"""Gradual unfreezing: what is frozen when, that frozen is frozen, and nothing is left of it."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from pydantic import PrivateAttr
from torch import nn

from features.gradual_unfreezing import GradualUnfreezing
from features.param_groups import ParamGroups
from harness import UsageError
from harness.feature import Claim, Feature
from harness.models import MODELS
from harness.testing import check_feature, check_pair, differences
from harness.training.fit import FitSession, fit
from harness.training.live import LiveRun

BUILT_IN = [name for name, entry in MODELS if entry.make.__module__.startswith("harness.models")]
DEPTH = 4
"""Encoder layers of a built-in model: embeddings and three convolutions."""


class Heavy(Feature):
    """An optimizer that moves whatever it may: momentum and decay on everything."""

    name: ClassVar[str] = "heavy"
    claim: ClassVar[Claim] = Claim.QUALITY

    _made: torch.optim.Optimizer | None = PrivateAttr(None)

    def optimizer(self, run, groups):
        return torch.optim.SGD(
            [{"params": list(group.parameters)} for group in groups],
            lr=0.01, momentum=0.9, weight_decay=0.1, nesterov=True,
        )  # fmt: skip


def layer_of(name):
    """0 for embeddings, then the convolutions, then the head."""
    if name.startswith("convolutions."):
        return 1 + int(name.split(".")[1])
    return DEPTH if name.startswith("head.") else 0


def moved_by_epoch(spec):
    """Which layers' state changed in each epoch, and which of them changed whole."""
    session = FitSession(spec)
    found = []
    while not session.ended:
        before = {name: value.clone() for name, value in session.run.model.state_dict().items()}
        session.run_epoch()
        after = session.run.model.state_dict()
        moved = {name for name, value in after.items() if not value.equal(before[name])}
        found.append({layer_of(name) for name in moved})
        constant = {name for name in after if name.endswith(".eps")}  # GIN's, which trains not
        assert moved == {name for name in after if layer_of(name) in found[-1]} - constant
    return found


# The schedule --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "lowest_by_epoch"),
    [
        ({}, [4, 3, 2, 1, 0, 0]),
        ({"alone": 0}, [3, 2, 1, 0, 0, 0]),
        ({"alone": 2, "every": 2}, [4, 4, 3, 3, 2, 2]),
        ({"keep": 2}, [4, 3, 2, 2, 2, 2]),
        ({"alone": 100}, [4] * 6),
        ({"keep": 100}, [4] * 6),
    ],
)
def test_layers_thaw_from_the_top_down_at_their_epochs(make_spec, values, lowest_by_epoch):
    """The lowest layer that trains in each epoch; all above it do as well."""
    arm = (GradualUnfreezing(**values), Heavy())
    found = moved_by_epoch(make_spec(arm, model="gin", epochs=6))
    assert found == [set(range(lowest, DEPTH + 1)) for lowest in lowest_by_epoch]


@pytest.mark.parametrize("model", BUILT_IN)
def test_it_does_so_with_every_model_and_the_loops_own_adam(make_spec, model):
    spec = make_spec("gradual_unfreezing", model=model, epochs=5, weight_decay=0.1)
    assert moved_by_epoch(spec) == [set(range(lowest, DEPTH + 1)) for lowest in (4, 3, 2, 1, 0)]


def test_it_says_what_it_does(make_spec):
    def said(epochs, **values):
        return FitSession(make_spec((GradualUnfreezing(**values),), epochs=epochs)).run.notes

    (note,) = said(12)
    assert note.startswith("gradual_unfreezing: 4 encoder layers, 0 of them frozen to the end")
    assert note.endswith("from epoch 5 of 12")
    assert "2 of them frozen to the end" in said(3)[0]
    assert "3 of them frozen to the end" in said(12, keep=3)[0]


# Frozen is frozen ----------------------------------------------------------------------------


def train_epoch(run, *, frozen=True):
    run.model.train()
    if frozen:
        run.emit("on_epoch_start")
    for window, graphs in run.windows(run.epoch):
        run.train_window(window, graphs)


def test_momentum_and_decay_do_not_move_what_is_frozen(make_spec):
    run = LiveRun(make_spec((Heavy(), GradualUnfreezing(alone=2)), model="gin"))
    train_epoch(run, frozen=False)  # everything gets momentum
    momenta = [run.optimizer.state[each]["momentum_buffer"].clone() for each in encoder(run)]
    assert all(each.abs().max() > 0 for each in momenta)
    run.emit("on_fit_start")
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    train_epoch(run)
    after = run.model.state_dict()
    moved = {name for name, value in after.items() if not value.equal(before[name])}
    assert moved == {name for name in after if name.startswith("head.")}
    for one, other in zip(momenta, encoder(run), strict=True):
        assert one.equal(run.optimizer.state[other]["momentum_buffer"])
        assert other.grad is None


def encoder(run):
    return [each for name, each in run.model.named_parameters() if not name.startswith("head.")]


def test_what_was_never_thawed_has_no_optimizer_state(make_spec):
    run = LiveRun(make_spec("gradual_unfreezing"))
    run.emit("on_fit_start")
    train_epoch(run)
    assert all(not run.optimizer.state.get(each) for each in encoder(run))
    assert all(run.optimizer.state[each] for each in run.model.head.parameters())


def test_a_frozen_batch_norm_is_constant_and_a_thawed_one_learns_again(make_spec):
    session = FitSession(make_spec("gradual_unfreezing", model="gin", epochs=3))
    norms = [each for each in session.run.model.modules() if isinstance(each, nn.BatchNorm1d)]
    seen = []
    for _ in range(3):
        session.run_epoch()
        seen.append([int(norm.num_batches_tracked) for norm in norms])
    steps = session.run.history[0].steps
    assert seen == [[0, 0, 0], [0, 0, steps], [0, steps, 2 * steps]]


def test_what_the_model_froze_itself_stays_frozen(make_spec):
    session = FitSession(make_spec((GradualUnfreezing(alone=0, every=1),), epochs=6))
    run = session.run
    run.model.head[0].weight.requires_grad_(requires_grad=False)
    run.model.convolutions[2].bias.requires_grad_(requires_grad=False)
    run.arm[0].on_fit_start(run)
    before = run.model.head[0].weight.clone(), run.model.convolutions[2].bias.clone()
    while not session.ended:
        session.run_epoch()
    assert run.model.head[0].weight.equal(before[0])
    assert run.model.convolutions[2].bias.equal(before[1])


def test_a_model_without_a_head_is_refused(make_spec):
    session = FitSession(make_spec())
    session.run.model = Headless()
    with pytest.raises(UsageError, match="no head that could train alone"):
        GradualUnfreezing().on_fit_start(session.run)


class Headless(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(12, 2)

    def forward(self, x, edge_index, batch):
        sums = torch.zeros(int(batch.max()) + 1, 2)
        return sums.index_add(0, batch, self.table(x[:, 0]))


# Beside other features, and across interruptions ---------------------------------------------


def test_groups_keep_their_rates_and_decay_while_layers_thaw(make_spec):
    arm = "gradual_unfreezing+param_groups[encoder=0.25,weight_decay=0.5]"
    spec = make_spec(arm, model="gin", epochs=5, learning_rate=0.01)
    assert moved_by_epoch(spec) == [set(range(lowest, DEPTH + 1)) for lowest in (4, 3, 2, 1, 0)]
    groups = {group["name"]: group for group in LiveRun(spec).optimizer.param_groups}
    assert groups["encoder"]["lr"] == pytest.approx(0.0025)
    assert groups["encoder"]["weight_decay"] == 0.5


def test_a_pretrained_encoder_is_kept_to_the_bit_while_the_head_trains(make_spec, tmp_path):
    fit(make_spec("", model="gin", seed=1, folder=tmp_path, epochs=2))
    arm = (ParamGroups(pretrained=str(tmp_path / "best.pt")), GradualUnfreezing(alone=3))
    session = FitSession(make_spec(arm, model="gin", seed=1, epochs=3))
    while not session.ended:
        session.run_epoch()
    stored = torch.load(tmp_path / "best.pt", weights_only=True)["model"]
    own = session.run.model.state_dict()
    assert {name for name in own if own[name].equal(stored[name])} == {
        name for name in own if not name.startswith("head.")
    }


@pytest.mark.parametrize("arm", ["gradual_unfreezing", "gradual_unfreezing[alone=2,every=2]"])
@pytest.mark.parametrize("model", ["gin", "gat"])
def test_it_survives_an_interruption_to_the_bit(arm, model):
    check_feature(arm, models=[model], clauses=["resume_is_exact"])


@pytest.mark.parametrize(
    "other",
    ["param_groups[encoder=0]", "swa[start=0]", "amp[dtype=fp16]", "grad_accumulation[steps=3]",
     "lr_finder[steps=10,expiry_days=0]"],
)  # fmt: skip
def test_it_trains_beside(other):
    assert check_pair("gradual_unfreezing", other, models=["gin"])


def test_an_lr_range_test_leaves_the_frozen_encoder_as_it_was(make_spec):
    arm = "gradual_unfreezing[alone=3]+lr_finder[steps=10,expiry_days=0]"
    plain = LiveRun(make_spec(model="gin")).model.state_dict()
    own = fit(make_spec(arm, model="gin", epochs=3)).state
    same = {name: value for name, value in own.items() if not name.startswith("head.")}
    assert not differences(same, {name: plain[name] for name in same})


def test_thawed_from_the_start_it_is_a_run_without_it(make_spec):
    class Whole(GradualUnfreezing):
        def frozen(self, epoch):
            return 0

    with_it, without = (fit(make_spec(arm, model="gin")) for arm in ((Whole(),), ""))
    assert not differences(with_it.state, without.state)
    assert not differences(with_it.history, without.history)
