"""One line says what the other policy makes of the same results."""

from __future__ import annotations

import pytest

from harness.gates.policy import Policy
from harness.gates.words import Verdict
from harness.report.other import OtherPolicy


@pytest.mark.parametrize("word", list(Verdict))
def test_the_line_names_policy_verdict_and_reason(word):
    line = OtherPolicy(Policy.CLAIMS, word, "for a reason").sentence
    assert "\n" not in line
    assert line == f"under the policy claims: {word.value.replace('_', ' ')}, for a reason"


def test_a_pass_needs_no_reason():
    assert OtherPolicy(Policy.ROADMAP, Verdict.PASS, "").sentence.endswith("roadmap: PASS")
