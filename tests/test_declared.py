"""What modules declare is read from their text as importing them would have it."""

from __future__ import annotations

import inspect

import pytest

from harness import declared as room
from harness.declared import Declared, declared
from harness.feature import FEATURES
from harness.models import MODELS


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Modules as the only ones behind an entry point: ``modules(name="content")``."""

    def write(**contents):
        for name, content in contents.items():
            (tmp_path / f"{name}.py").write_text(content)
        points = [type("Point", (), {"module": name}) for name in contents]
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(room, "entry_points", lambda group: points)
        return list(declared("any"))

    return write


def test_features_have_the_cards_and_fields_of_their_classes():
    found = {one.name: one for one in declared("ablation.features")}
    for name, kind in FEATURES:
        if kind.__module__.startswith("features."):
            one = found.pop(name)
            assert one.card == inspect.getdoc(kind)
            assert one.fields == tuple(kind.model_fields)
    assert not found


def test_models_have_the_cards_and_values_of_their_classes():
    found = {one.name: one for one in declared("ablation.models")}
    for name, entry in MODELS:
        if entry.make.__module__.startswith("harness."):
            one = found.pop(name)
            assert one.card == entry.card
            assert one.fields == tuple(entry.values.model_fields)
    assert not found


def test_a_plain_assignment_names_too_and_a_function_can_be_a_model(modules):
    text = (
        'class One:\n    """A card."""\n\n    name = "one"\n    size: int = 3\n    _own: int = 0\n'
    )
    call = '@register_model("two")\ndef make(shape, hidden=3, *, deep=1, must):\n    return None\n'
    found = [Declared("one", "A card.", ("size",)), Declared("two", "", ("hidden", "deep"))]
    assert modules(one=text, two=call) == found


def test_what_is_computed_is_left_out(modules):
    assert modules(one='NAME = "x"\n\n\nclass One:\n    name = NAME\n') == []


@pytest.mark.parametrize("content", ["def (:\n", "\0", "class One:\n    name = 3\n"])
def test_a_broken_file_declares_nothing(modules, content):
    assert modules(broken=content) == []


def test_missing_modules_declare_nothing(modules, monkeypatch):
    points = [type("Point", (), {"module": name}) for name in ("not.there", "gone", "sys")]
    monkeypatch.setattr(room, "entry_points", lambda group: points)
    assert list(declared("any")) == []
