from __future__ import annotations

from harness.declared import Declared
from harness.feature import FEATURES
from harness.report.html import cards
from harness.report.html.cards import cards_of


def test_cards_read_from_text_are_those_of_the_classes(monkeypatch):
    theirs = {name: kind.card() for name, kind in FEATURES if kind.__module__[:9] == "features."}
    assert {"amp", "swa", "hpo"} <= theirs.keys()
    monkeypatch.setattr(FEATURES, "known", lambda name: None)
    assert cards_of(theirs) == theirs


def test_a_class_without_a_docstring_has_no_card(monkeypatch):
    monkeypatch.setattr(FEATURES, "known", lambda name: None)
    monkeypatch.setattr(cards, "declared", lambda group: [Declared("a", "", ())])
    assert cards_of(["a"]) == {}


def test_a_feature_that_is_nowhere_has_no_card():
    assert list(cards_of(["swa", "no_such_feature", "amp"])) == ["swa", "amp"]
