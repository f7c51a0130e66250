from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.doctor.advice import FIRST, REMEDIES, advise
from harness.doctor.answer import Ailment, Answer
from harness.feature import FEATURES
from harness.gates.words import Verdict


def _answers(*ailments):
    return [Answer("?", "yes", ailments=frozenset(ailments))]


def _judged(name, word):
    return SimpleNamespace(planned=SimpleNamespace(name=name), word=word, why="said so")


def test_every_ailment_has_an_answer_and_every_remedy_is_a_feature():
    assert {*FIRST, *REMEDIES} == set(Ailment)
    assert {name for remedies in REMEDIES.values() for name in remedies} <= set(FEATURES.names())


def test_a_healthy_baseline_gets_no_advice():
    assert advise(_answers(), []) == []


def test_what_comes_before_features_comes_first():
    found = advise(_answers(Ailment.UNDERTRAINED, Ailment.LOW_F1), [])
    assert found[0].what == ""
    assert found[0].sentence.startswith("before any feature: train longer")
    assert {one.what for one in found[1:]} == set(REMEDIES[Ailment.LOW_F1])


@pytest.mark.parametrize("word", [Verdict.FAIL, Verdict.INCONCLUSIVE])
def test_what_failed_here_comes_last_and_says_so(word):
    found = advise(_answers(Ailment.OVERFITS), [_judged("ensemble", word)])
    assert [one.what for one in found] == (
        ["swa", "ensemble"] if word is Verdict.FAIL else ["ensemble", "swa"]
    )
    (ensemble,) = (one for one in found if one.what == "ensemble")
    assert ensemble.sentence.endswith(f"(judged here: {word.value}, said so)")


def test_what_was_judged_with_values_is_known_by_them():
    judged = [_judged("ensemble[members=5]", Verdict.FAIL), _judged("ensemble+amp", Verdict.PASS)]
    found = advise(_answers(Ailment.OVERFITS), [*judged, _judged("no ] name", Verdict.PASS)])
    assert [one.what for one in found] == ["swa", "ensemble"]
    assert found[-1].sentence.endswith("(judged here: ensemble[members=5]: FAIL, said so)")
    judged.append(_judged("ensemble", Verdict.INCONCLUSIVE))
    found = advise(_answers(Ailment.OVERFITS), judged)
    assert [one.what for one in found] == ["ensemble", "swa"], "one of its values is still open"


def test_a_feature_that_answers_two_ailments_is_named_once_with_both_reasons():
    advice = advise(_answers(Ailment.OVERFITS, Ailment.UNSTEADY), [])
    found = [one for one in advice if one.what == "swa"]
    assert len(found) == 1
    assert "overfits" in found[0].why
    assert "unsteady" in found[0].why
