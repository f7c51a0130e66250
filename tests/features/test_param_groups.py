"""Parameter groups: each parameter in exactly one, by depth and by decay."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from features.param_groups import ParamGroups, head_of, without_decay
from harness.models import MODELS
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


class Headless(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.EmbeddingBag(4, 3)
        self.first, self.norm, self.last = nn.Linear(3, 3), nn.LayerNorm(3), nn.Linear(3, 2)


def test_without_a_head_it_is_the_last_linear_layer():
    model = Headless()
    assert head_of(model) is model.last
    assert isinstance(head_of(nn.Embedding(2, 2)), nn.Identity)
    groups = ParamGroups().parameter_groups(type("Run", (), {"model": model}))
    by_name = {group.name: group.parameters for group in groups}
    assert [id(each) for each in by_name["head"]] == [id(model.last.weight)]
    assert [id(each) for each in by_name["encoder"]] == [id(model.first.weight)]


def test_biases_norms_and_embeddings_do_not_decay():
    model = Headless()
    free = {id(parameter) for parameter in without_decay(model)}
    decaying = {id(model.first.weight), id(model.last.weight)}
    assert {id(parameter) for parameter in model.parameters()} - free == decaying


def test_a_tied_weight_stands_in_one_group():
    model = Headless()
    model.last.weight = nn.Parameter(torch.zeros(3, 3))
    model.first.weight = model.last.weight
    groups = ParamGroups().parameter_groups(type("Run", (), {"model": model}))
    grouped = [id(each) for group in groups for each in group.parameters]
    assert len(grouped) == len(set(grouped)) == len(list(model.parameters()))
