from __future__ import annotations

import json
from typing import Any

import pytest

from harness.gates.words import Lean, Verdict, all_of, counted


def test_words_are_what_json_shows():
    assert json.loads(json.dumps([*Verdict, *Lean])) == [
        "PASS",
        "FAIL",
        "INCONCLUSIVE",
        "NOT_MEASURED",
        "LEAN_PASS",
        "LEAN_FAIL",
        "OPEN",
    ]


@pytest.mark.parametrize(
    ("answers", "together"),
    [
        ("", "NOT_MEASURED"),
        ("PASS", "PASS"),
        ("PASS PASS", "PASS"),
        ("PASS INCONCLUSIVE", "INCONCLUSIVE"),
        ("PASS NOT_MEASURED", "INCONCLUSIVE"),
        ("NOT_MEASURED NOT_MEASURED", "NOT_MEASURED"),
        ("NOT_MEASURED FAIL", "FAIL"),
        ("PASS FAIL INCONCLUSIVE", "FAIL"),
    ],
)
def test_answers_that_must_all_hold(answers: Any, together: str):
    assert all_of(map(Verdict, answers.split())) == together


def test_counting():
    assert [counted(k, "pair") for k in (0, 1, 2)] == ["0 pairs", "1 pair", "2 pairs"]
