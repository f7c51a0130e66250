"""Parameter groups: each parameter in exactly one, by depth and by decay."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch_geometric.nn import global_mean_pool

from features import param_groups
from features.param_groups import ParamGroups, without_decay
from features.swa import SWA
from harness import DataError, UsageError
from harness.feature import Claim, Feature, join_arm
from harness.models import MODELS, DataShape, make_model
from harness.selection import parse_single
from harness.testing import check_feature, planted_graphs
from harness.training.fit import FitSession, fit
from harness.training.live import LiveRun

BUILT_IN = [name for name, entry in MODELS if entry.make.__module__.startswith("harness.models")]


@pytest.mark.parametrize("model", BUILT_IN)
def test_every_parameter_stands_in_exactly_one_group(make_spec, model):
    run = LiveRun(make_spec("param_groups", model=model))
    grouped = [each for group in run.optimizer.param_groups for each in group["params"]]
    assert len(grouped) == len({id(each) for each in grouped})
    assert {id(each) for each in grouped} == {id(each) for each in run.model.parameters()}


@pytest.mark.parametrize("model", BUILT_IN)
def test_groups_go_by_depth_and_by_decay(make_spec, model):
    arm = "param_groups[encoder=0.25,head=2,weight_decay=0.125]"
    run = LiveRun(make_spec(arm, model=model, learning_rate=0.01))
    names = {id(parameter): name for name, parameter in run.model.named_parameters()}
    groups = {group["name"]: group for group in run.optimizer.param_groups}
    assert set(groups) == {"encoder", "encoder/no_decay", "head", "head/no_decay"}
    for title, group in groups.items():
        in_head = title.startswith("head")
        free = title.endswith("no_decay")
        assert group["lr"] == pytest.approx(0.02 if in_head else 0.0025)
        assert group["weight_decay"] == (0.0 if free else 0.125)
        for parameter in group["params"]:
            name = names[id(parameter)]
            assert name.startswith("head.") == in_head
            flat = parameter.ndim < 2 or "embedding" in name
            assert flat == free, name


def test_an_encoder_at_rate_zero_stays_as_it_is(make_spec):
    run = LiveRun(make_spec("param_groups[encoder=0,weight_decay=0]", model="gcn"))
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    for window, graphs in run.windows(0):
        run.train_window(window, graphs)
    moved = {
        name for name, value in run.model.state_dict().items() if not value.equal(before[name])
    }
    assert moved == {name for name in before if name.startswith("head.")}


class Misnamed(nn.Module):
    """Nothing is called head, and what is on graphs does not stand last."""

    def __init__(self):
        super().__init__()
        self.verdict = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
        self.table, self.norm, self.mix = nn.Embedding(12, 4), nn.LayerNorm(4), nn.Linear(4, 4)

    def forward(self, x, edge_index, batch, size):
        hidden = self.norm(self.mix(self.table(x[:, 0])))
        return self.verdict(global_mean_pool(hidden, batch, size))


@pytest.fixture
def misnamed(make_spec):
    """A run of that model, with its groups by name."""

    def make(arm="param_groups", change=lambda model: None):
        run = LiveRun(make_spec(arm))
        run.model = Misnamed()
        change(run.model)
        groups = run.arm[0].parameter_groups(run)
        names = {id(each): name for name, each in run.model.named_parameters()}
        return {group.name: {names[id(each)] for each in group.parameters} for group in groups}

    return make


def test_roles_count_and_not_names(misnamed):
    assert misnamed() == {
        "encoder": {"mix.weight"},
        "encoder/no_decay": {"mix.bias", "norm.weight", "norm.bias", "table.weight"},
        "head": {"verdict.0.weight", "verdict.2.weight"},
        "head/no_decay": {"verdict.0.bias", "verdict.2.bias"},
    }


def test_biases_norms_and_embeddings_do_not_decay():
    model = Misnamed()
    model.bags = nn.EmbeddingBag(4, 3)
    free = {id(parameter) for parameter in without_decay(model)}
    named = model.named_parameters()
    assert {name for name, each in named if id(each) not in free} == {
        "mix.weight", "verdict.0.weight", "verdict.2.weight",
    }  # fmt: skip


def test_a_tied_weight_stands_in_one_group(misnamed):
    def tie(model):
        model.mix.weight = model.verdict[0].weight

    grouped = [name for names in misnamed(change=tie).values() for name in names]
    assert len(grouped) == len(set(grouped)) == len(list(Misnamed().parameters())) - 1


# An encoder that was trained before ----------------------------------------------------------


@pytest.fixture(scope="module")
def other_graphs():
    """Other data of the same vocabularies."""
    return planted_graphs(48, seed=9)


@pytest.fixture
def checkpoint(make_spec, tmp_path, other_graphs):
    """The folder of a finished run on other data: ``checkpoint(model="gin")``."""

    def make(model="gin", *, graphs=other_graphs, seed=0):
        folder = tmp_path / "before"
        fit(make_spec("", model=model, graphs=graphs, seed=seed, folder=folder, epochs=2))
        return folder

    return make


def starting(path, **more):
    return (ParamGroups(pretrained=str(path), **more),)


def saved(path, name):
    return torch.load(path / name, weights_only=True)["model"]


@pytest.mark.parametrize("name", ["best.pt", "last.pt"])
@pytest.mark.parametrize("model", BUILT_IN)
def test_the_encoder_is_the_checkpoints_and_the_head_is_fresh(make_spec, checkpoint, model, name):
    folder = checkpoint(model)
    run = LiveRun(make_spec(starting(folder / name), model=model))
    plain = LiveRun(make_spec(model=model)).model.state_dict()
    stored = saved(folder, name)
    assert not {"head.0.weight", "head.3.bias"} & {
        key for key, value in stored.items() if value.equal(plain[key])
    }
    for key, value in run.model.state_dict().items():
        wanted = plain if key.startswith("head.") else stored
        assert value.equal(wanted[key]), key
    (note,) = run.notes
    assert "trained on planted" in note
    assert f"{sum(not key.startswith('head.') for key in stored)} encoder tensors" in note


def test_factors_apply_to_a_pretrained_encoder(make_spec, checkpoint):
    arm = starting(checkpoint() / "best.pt", encoder=0.125)
    groups = LiveRun(make_spec(arm, model="gin")).optimizer.param_groups
    rates = {group["name"]: group["lr"] for group in groups}
    assert rates["encoder"] == rates["encoder/no_decay"] == pytest.approx(0.125 * rates["head"])


def test_an_lr_range_test_and_an_average_see_the_pretrained_encoder(make_spec, checkpoint):
    """Rates and losses are those of a model that has the weights from the start."""
    seen = {}

    class Looking(Feature):
        name: ClassVar[str] = "looking"
        claim: ClassVar[Claim] = Claim.INSIGHT

        def learning_rate(self, run):
            seen["rate"] = run.model.convolutions[0].lin.weight.detach().clone()
            return 1e-3

        def on_fit_start(self, run):
            swa = next(each for each in run.arm if each.name == "swa")
            seen["average"] = swa._average.module.convolutions[0].lin.weight.detach().clone()

    folder = checkpoint("gcn")
    arm = join_arm((*starting(folder / "best.pt"), SWA(), Looking.model_construct()))
    session = FitSession(make_spec(sorted(arm, key=lambda one: one.name == "looking")))
    session.run.emit("on_fit_start")
    wanted = saved(folder, "best.pt")["convolutions.0.lin.weight"]
    assert seen["rate"].equal(wanted)
    assert seen["average"].equal(wanted)


def test_without_embeddings_those_are_fresh(make_spec, checkpoint):
    folder = checkpoint("gcn")
    arm = starting(folder / "best.pt", embeddings=False)
    own, plain = (LiveRun(make_spec(each)).model.state_dict() for each in (arm, ""))
    stored = saved(folder, "best.pt")
    for key, value in own.items():
        fresh = key.startswith("head.") or "embedding" in key
        assert value.equal((plain if fresh else stored)[key])


def test_a_bare_state_dict_will_do(make_spec, tmp_path):
    path = tmp_path / "weights.pt"
    weights = make_model(parse_single("sage"), DataShape.of(planted_graphs(8))).state_dict()
    torch.save(weights, path)
    run = LiveRun(make_spec(starting(path), model="sage"))
    assert run.model.convolutions[1].lin_l.weight.equal(weights["convolutions.1.lin_l.weight"])
    assert "data it does not name" in run.notes[0]


def refusal(make_spec, path, error=DataError, **more):
    model = more.pop("model", "gcn")
    with pytest.raises(error) as caught:
        LiveRun(make_spec(starting(path, **more), model=model))
    assert caught.value.where == str(path)
    assert caught.value.mend
    return caught.value


@pytest.mark.parametrize(
    ("trained", "model", "what"),
    [
        ("gcn[hidden=32]", "gcn", r"'convolutions.0.bias' is \[32\] there and \[64\] here"),
        ("gcn[layers=2]", "gcn", r"'convolutions.2.bias' is missing there and \[64\] here \(2 in"),
        ("gcn[layers=4]", "gcn", "'convolutions.3.bias' is not in this model"),
        ("sage", "gcn", "'convolutions.0.lin_l.bias' is not in this model"),
        ("gat[heads=2]", "gat", r"'convolutions.0.att_dst' is \[1, 2, 32\] there"),
    ],
)
def test_what_does_not_fit_is_named_with_both_shapes(make_spec, checkpoint, trained, model, what):
    error = refusal(make_spec, checkpoint(trained) / "best.pt", model=model)
    assert re.search(what, error.what)
    assert "it was made with {'hidden':" in error.mend


def test_other_vocabularies_are_refused_unless_embeddings_are_left(make_spec, checkpoint):
    few = planted_graphs(48, seed=9)
    info = few.info.model_copy(update={"num_tokens": 40})
    path = checkpoint("gcn", graphs=replace(few, info=info)) / "best.pt"
    error = refusal(make_spec, path)
    assert "'token_embedding.weight' is [40, 64] there and [32, 64] here" in error.what
    assert "embeddings=false" in error.mend
    LiveRun(make_spec(starting(path, embeddings=False)))


class Evil:
    def __reduce__(self):
        return (Path("executed").touch, ())


@pytest.mark.parametrize(
    "content",
    [
        b"", b"no checkpoint", pickle.dumps({"model": {}}), [1, 2], {"model": 3},
        {"model": {}, "configuration": 1}, {"model": {"head.0.weight": Evil()}},
    ],
    ids=[
        "empty", "text", "pickle", "list", "number", "configuration", "code",
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused_and_nothing_runs(
    make_spec, tmp_path, monkeypatch, content
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "it.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    assert "is no readable checkpoint" in refusal(make_spec, path).what
    assert [each.name for each in tmp_path.iterdir()] == ["it.pt"]


def test_a_missing_or_huge_file_is_refused(make_spec, tmp_path, monkeypatch):
    path = tmp_path / "it.pt"
    assert "No such file" in refusal(make_spec, path).what
    path.write_bytes(b"123")
    monkeypatch.setattr(param_groups, "MOST_BYTES", 2)
    assert "is larger than 0 GiB" in refusal(make_spec, path).what


def test_weights_that_are_no_tensors_are_refused(make_spec, tmp_path):
    weights = dict(LiveRun(make_spec()).model.state_dict())
    torch.save({"model": {**weights, "convolutions.0.bias": [0.0] * 64}}, tmp_path / "it.pt")
    assert "'convolutions.0.bias' is missing" in refusal(make_spec, tmp_path / "it.pt").what


def test_a_checkpoint_that_has_seen_the_gate_is_refused(make_spec, checkpoint, small_graphs):
    path = checkpoint("gcn", graphs=small_graphs, seed=3) / "best.pt"
    error = refusal(make_spec, path, UsageError)
    assert "was trained on this very data set at seed 3" in error.what
    LiveRun(make_spec(starting(path), seed=3))


def test_a_checkpoints_content_is_part_of_the_trials_key(make_spec, checkpoint):
    path = checkpoint("gcn") / "best.pt"
    (feature,) = starting(path)
    first = feature.inputs_key()
    path.write_bytes(path.read_bytes() + b"0")
    assert len({first, feature.inputs_key(), ParamGroups().inputs_key()}) == 3


@pytest.mark.parametrize("clause", ["off_leaves_no_trace", "resume_is_exact"])
def test_with_a_checkpoint_the_contract_holds(checkpoint, clause):
    path = checkpoint("gin") / "last.pt"
    check_feature(f'param_groups[pretrained="{path}"]', models=["gin"], clauses=[clause])
