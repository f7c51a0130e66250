"""Models by name: what can be registered, what its values are, how it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from harness.errors import UsageError
from harness.models import MODELS, DataShape, call_model, make_model, register_model
from harness.models.registry import model_values
from harness.selection import parse_single

if TYPE_CHECKING:
    from decimal import Decimal

SHAPE = DataShape(num_types=5, num_tokens=7)


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    """What a test registers is gone after it."""
    MODELS.load()
    monkeypatch.setattr(MODELS, "_entries", dict(MODELS._entries))
    monkeypatch.setattr(MODELS, "_origins", dict(MODELS._origins))


class Bag(nn.Module):
    """Any module with forward(x, edge_index, batch) will do."""

    def __init__(self, shape: DataShape, width: int = 4, *, deep: bool = False) -> None:
        super().__init__()
        self.table, self.deep = nn.Embedding(shape.num_types, width), deep
        self.out = nn.Linear(width, shape.num_classes)

    def forward(self, x, edge_index, batch):
        del edge_index
        hidden = self.table(x[:, 0])
        sums = torch.zeros(int(batch.max()) + 1, hidden.shape[1])
        return self.out(sums.index_add(0, batch, hidden))


def test_any_module_of_that_signature_can_be_registered_and_called(random_batch):
    register_model("bag")(Bag)
    net = make_model(parse_single("bag[width=3,deep=true]"), SHAPE)
    assert net.deep is True
    batch = random_batch()
    assert call_model(net, batch).shape == (batch.num_graphs, 2)
    assert MODELS.get("bag").card == "Any module with forward(x, edge_index, batch) will do."
    assert len(MODELS.get("bag").source_key) == 16


def test_values_are_read_off_the_signature_with_their_types():
    register_model("bag")(Bag)
    assert model_values(parse_single("bag")) == {"width": 4, "deep": False}
    assert model_values(parse_single("gat")) == {
        "hidden": 64, "layers": 3, "dropout": 0.2, "heads": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ("gat[head=2]", "value 'head' of model 'gat': Extra inputs"),
        ("gcn[hidden=wide]", "value 'hidden' of model 'gcn': Input should be a valid integer"),
        ("gcn[dropout=1]", "value 'dropout' of model 'gcn': Input should be less than 1"),
        ("gcn[layers=0]", "value 'layers' of model 'gcn': Input should be greater than"),
        ("sag", "there is no model 'sag'"),
    ],
)
def test_what_cannot_be_made_is_named(selection, message):
    with pytest.raises(UsageError, match=message) as caught:
        make_model(parse_single(selection), SHAPE)
    assert caught.value.mend


def test_a_value_without_a_default_is_refused():
    class Demanding(nn.Module):
        def __init__(self, shape: DataShape, width: int) -> None:
            super().__init__()

    with pytest.raises(UsageError, match="value 'width' of model 'demanding' lacks a default"):
        register_model("demanding")(Demanding)


def test_a_type_that_is_not_there_at_run_time_is_explained():
    class Hidden(nn.Module):
        def __init__(self, shape: DataShape, width: Decimal = 1) -> None:
            super().__init__()

    with pytest.raises(UsageError, match="'Decimal' is not defined") as caught:
        register_model("hidden")(Hidden)
    assert "not under TYPE_CHECKING alone" in caught.value.mend


def test_two_models_of_one_name_are_refused_by_where_they_are():
    register_model("bag")(Bag)
    register_model("bag")(Bag)

    class Other(Bag):
        """Another one."""

    with pytest.raises(UsageError, match=r"two models are called 'bag': .*\.Bag and .*\.Other"):
        register_model("bag")(Other)


def test_a_name_that_no_selection_can_hold_is_refused():
    with pytest.raises(UsageError, match="a model cannot be called 'My Model'"):
        register_model("My Model")(Bag)


def test_a_data_set_tells_its_shape(random_graphs):
    assert DataShape.of(random_graphs()) == DataShape(5, 7, num_classes=2, num_graph_features=0)


def test_a_model_is_given_what_its_forward_asks_for(random_batch):
    seen = {}

    class Asking(nn.Module):
        def forward(self, x, edge_index, batch, size, graph_features):
            seen.update(x=x, edge_index=edge_index, batch=batch, size=size, extra=graph_features)
            return torch.zeros(size, 2)

    batch = random_batch(count=4)
    call_model(Asking(), batch)
    assert seen["size"] == 4
    assert seen["extra"] is None
    assert seen["x"] is batch.x
