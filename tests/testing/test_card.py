"""The clauses that train nothing catch what was made to break them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import pytest
from pydantic import AfterValidator, Field, PrivateAttr

from harness.feature import Claim, Feature
from harness.selection import Selection
from harness.testing import check_feature

CARD = """Do nothing, as a model of a card.

Why: tests.

When it hurts: never.

Known limitations: none.

Source: this file.
"""


class Whole(Feature):
    __doc__ = CARD
    name: ClassVar[str] = "whole"
    claim: ClassVar[Claim] = Claim.QUALITY


def test_a_feature_that_does_nothing_keeps_every_clause(registered):
    check_feature(registered(Whole), models=["gin", "gcn"])


# The card ------------------------------------------------------------------------------------


@pytest.mark.parametrize("paragraph", ["Why:", "When it hurts:", "Known limitations:", "Source:"])
def test_each_paragraph_of_the_card_is_asked_for(paragraph, refused):
    class Short(Whole):
        __doc__ = CARD.replace(paragraph, "What:")

    class Empty(Whole):
        __doc__ = CARD.replace(
            next(line for line in CARD.splitlines() if line.startswith(paragraph)), paragraph
        )

    refused("card_is_complete", Short, f"no paragraph '{paragraph}'")
    refused("card_is_complete", Empty, f"'{paragraph}' is empty")


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ("", "no sentence"),
        ("AMP.", "no sentence"),
        ("Do a thing without a full stop", "no sentence"),
        (f"Do {'very ' * 30}much.", "letters"),
    ],
)
def test_the_first_line_is_a_short_sentence(first, message, refused):
    class Wordless(Whole):
        __doc__ = CARD.replace(CARD.splitlines()[0], first)

    refused("card_is_complete", Wordless, message)


def test_a_card_is_the_classs_own(refused):
    class Silent(Whole):
        pass

    refused("card_is_complete", Silent, "no docstring")


def test_a_feature_has_a_name_and_a_claim(refused):
    class Nameless(Whole):
        __doc__ = CARD
        name: ClassVar[str] = "Not A Name"

    class Claimless(Whole):
        __doc__ = CARD
        claim: ClassVar[Any] = "quality"

    refused("card_is_complete", Nameless, "no usable name")
    refused("card_is_complete", Claimless, "claims nothing")


def test_every_flag_has_a_default_and_a_description(refused):
    class Demanding(Whole):
        __doc__ = CARD
        steps: int = Field(description="steps")

    class Terse(Whole):
        __doc__ = CARD
        steps: int = 3

    refused("card_is_complete", Demanding, "'steps' has no default")
    refused("card_is_complete", Demanding(steps=2), "'steps' has no default")
    refused("card_is_complete", Terse, "'steps' lacks a description")


# The selection -------------------------------------------------------------------------------


def test_a_feature_is_registered(refused):
    refused("selection_round_trips", Whole, "no registered feature 'whole'")


def test_a_flag_is_a_scalar(registered, refused):
    class Lists(Whole):
        name: ClassVar[str] = "lists"
        steps: tuple[int, ...] = Field((1, 2), description="steps")

    refused("selection_round_trips", registered(Lists), "'steps' is list, which no flag can hold")


def test_a_value_that_changes_when_it_is_read_is_found(registered, refused):
    class Drifting(Whole):
        name: ClassVar[str] = "drifting"
        steps: Annotated[int, AfterValidator(lambda value: value + 1)] = Field(
            2, description="steps"
        )

    refused("selection_round_trips", registered(Drifting), "reads back as")


def test_a_value_that_cannot_be_read_is_found(registered, refused):
    def only_numbers(value: Any) -> str:
        if not isinstance(value, str) or value.lstrip("a").isdigit():
            raise ValueError("digits alone are refused")
        return value.removeprefix("a")

    class Refusing(Whole):
        name: ClassVar[str] = "refusing"
        code: Annotated[str, AfterValidator(only_numbers)] = Field("ab1", description="code")

        def selection(self):
            return Selection(self.name, {"code": 1})

    refused("selection_round_trips", registered(Refusing), "cannot be read back")


# Fresh objects -------------------------------------------------------------------------------


def test_fresh_is_another_object_without_a_past(refused):
    class Same(Whole):
        def fresh(self) -> Feature:
            return self

    class Copied(Whole):
        _seen: list[int] = PrivateAttr(default_factory=list)

        def fresh(self) -> Feature:
            return self.model_copy()

    class Reset(Whole):
        steps: int = Field(2, description="steps")

        def fresh(self) -> Feature:
            return type(self)()

    class Soft(Whole, frozen=False):
        pass

    refused("fresh_is_new", Same, "gives the feature itself")
    refused("fresh_is_new", Copied, "keeps '_seen'")
    refused("fresh_is_new", Reset(steps=3), "other values")
    refused("fresh_is_new", Soft, "fields can be changed")
