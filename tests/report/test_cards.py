"""Cards as Markdown: every field with its range, and nothing of a card's text as markup."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import pytest
from pydantic import Field

from harness.feature import FEATURES, Claim, Feature
from harness.report.cards import bounds, card_of, to_cards


class Kind(StrEnum):
    ONE = "one"
    TWO = "two"


class Odd(Feature):
    """Say <b>this</b> & that_or_this, with ``code_of[x=1]`` and *stress*.

    Why: [a](javascript:b) | c

    - no list

    1. no list either

    Known limitations: `odd`.
    """

    name: ClassVar[str] = "odd_one"
    claim: ClassVar[Claim] = Claim.SPEED

    kind: Kind = Field(Kind.ONE, description="a|b <i>")
    text: str = Field("a, b", max_length=9, description="words")
    part: float = Field(0.5, ge=0, lt=1, description="a share")
    steps: int = Field(1, gt=0, le=10_000, description="steps")
    on: bool = Field(default=True, description="whether")

    def on_fit_start(self, run):
        del run

    def criterion(self, run):
        raise NotImplementedError


@pytest.fixture(scope="module")
def card():
    return card_of("odd_one", Odd)


def _rows(text):
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for line in lines if (row := line.strip("| ").split(" | "))}


def test_each_field_has_type_default_range_and_description(card):
    rows = {name.strip(): [cell.strip() for cell in cells] for name, cells in _rows(card).items()}
    assert rows["part"] == ["float", "0.5", "at least 0, below 1", "a share"]
    assert rows["steps"] == ["int", "1", "above 0, at most 10,000", "steps"]
    assert rows["kind"] == ["one or two", "one", "", "a\\|b &lt;i&gt;"]
    assert rows["text"][:3] == ["str", '"a, b"', "at most 9 letters"]
    assert rows["on"][:2] == ["bool", "true"]


def test_claim_and_hooks_are_named_by_their_kind(card):
    assert "**Claim:** speed. **Hooks:** slots `criterion`; events `on_fit_start`." in card


def test_code_and_stress_stay_and_all_else_is_text(card):
    assert "Say &lt;b&gt;this&lt;/b&gt; &amp; that\\_or\\_this, with ``code_of[x=1]``" in card
    assert "and *stress*." in card
    assert "**Why:** \\[a\\](javascript:b) \\| c" in card
    assert "**Known limitations:** \\`odd\\`." in card
    assert "\n&#45; no list" in card
    assert "\n1&#46; no list either" in card
    assert card.startswith("## odd\\_one\n")


def test_a_page_has_every_feature_and_every_field():
    built_in = [(name, one) for name, one in FEATURES if one.__module__.startswith("features.")]
    page = to_cards(built_in)
    for name, feature in built_in:
        heading = name.replace("_", "\\_")
        section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
        rows = {field.strip().replace("\\", "") for field in _rows(section)}
        assert rows >= feature.model_fields.keys()
        assert "**When it hurts:** " in section
        assert "**Known limitations:** " in section
        assert f"**Claim:** {feature.claim.value}." in section
        for hook in feature.hooks():
            assert f"`{hook}`" in section


def test_every_rule_of_the_built_in_fields_is_shown():
    for _, feature in FEATURES:
        for info in feature.model_fields.values():
            assert len(bounds(info).split(", ")) == max(1, len(info.metadata))
