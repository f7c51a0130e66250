"""The contract of a feature: typed flags, one owner of each slot, a selection of its own."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, PrivateAttr, ValidationError, model_validator

from harness.errors import SlotConflictError, UsageError
from harness.feature import (
    EVENTS,
    FEATURES,
    HOOKS,
    SLOTS,
    WRAPS,
    Claim,
    Feature,
    join_arm,
    make_arm,
    make_feature,
    register,
)
from harness.selection import Selection, parse, parse_single


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Example(Feature):
    """Show every kind of flag.

    It is a card.
    """

    name: ClassVar[str] = "example"
    claim: ClassVar[Claim] = Claim.QUALITY

    count: int = Field(2, ge=1, description="a number")
    share: float = Field(0.5, gt=0, le=1, description="a share")
    colour: Colour = Field(Colour.RED, description="a choice")
    on: bool = Field(default=False, description="a switch")
    text: str = Field("plain", description="a text")
    maybe: float | None = Field(None, description="a number or none")

    _memory: list[int] = PrivateAttr(default_factory=list)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.count > 100 * self.share:
            raise ValueError("count is too large for share")
        return self

    def sampler(self, run):
        return run.default_sampler()

    def on_epoch_end(self, run):
        self._memory.append(run.epoch)


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    """What a test registers is gone after it."""
    FEATURES.load()
    monkeypatch.setattr(FEATURES, "_entries", dict(FEATURES._entries))
    monkeypatch.setattr(FEATURES, "_origins", dict(FEATURES._origins))
    register(Example)


def feature(name, *hooks, **attributes):
    """A feature class that overrides some hooks."""
    body = {hook: (lambda self, *given: None) for hook in hooks}
    words = {"name": name, "claim": Claim.QUALITY, "__annotations__": {}, "__doc__": "Do a thing."}
    return type(name.title(), (Feature,), {**body, **words, **attributes})


# Flags and selections ------------------------------------------------------------------------


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "count": st.integers(1, 5),
        "share": st.floats(0.06, 1),
        "colour": st.sampled_from(Colour),
        "on": st.booleans(),
        "text": st.text(max_size=20),
        "maybe": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    },
)


@given(VALUES)
def test_the_selection_of_a_feature_gives_it_back(values):
    made = Example(**values)
    again = make_feature(parse_single(str(made)))
    assert again == made
    assert type(again) is Example


def test_the_selection_leaves_defaults_out():
    assert str(Example()) == "example"
    assert str(Example(count=2, share=0.5, colour="red")) == "example"
    assert str(Example(share=1, colour="blue")) == "example[colour=blue,share=1.0]"


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ("example[count=0]", "field 'count' of feature 'example': Input should be greater"),
        ("example[count=two]", "field 'count' of feature 'example': Input should be a valid int"),
        ("example[share=inf]", "field 'share' of feature 'example': Input should be a finite"),
        ("example[colour=green]", "field 'colour' of feature 'example': Input should be 'red'"),
        ("example[size=2]", "field 'size' of feature 'example': Extra inputs"),
        ("example[count=60]", "feature 'example': Value error, count is too large for share"),
        ("exampel", "there is no feature 'exampel'"),
    ],
)
def test_what_cannot_be_made_names_the_field(selection, message):
    with pytest.raises(UsageError, match=message) as caught:
        make_feature(parse_single(selection))
    assert caught.value.mend
    assert "example" in str(caught.value)


def test_a_feature_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Example().count = 3


def test_fresh_has_the_same_values_and_no_memory():
    used = Example(count=4)
    used._memory.append(1)
    new = used.fresh()
    assert new.model_dump() == used.model_dump()
    assert new is not used
    assert new._memory == []


def test_the_card_is_the_docstring_of_the_class_itself():
    assert Example.card() == "Show every kind of flag.\n\nIt is a card."
    assert feature("silent", __doc__=None).card() == ""


def test_a_feature_knows_the_file_it_is_written_in(tmp_path, monkeypatch):
    assert len(Example.source_key()) == 16
    assert Example.source_key() != make_feature(Selection("amp")).source_key()


class Reading(Example):
    path: str = ""

    def inputs(self):
        return (Path(self.path),) if self.path else ()


def test_files_that_a_feature_reads_are_known_by_their_content(tmp_path):
    path = tmp_path / "a.pt"
    assert Reading().inputs_key() == Example().inputs_key() == ""
    path.write_bytes(b"one")
    first = Reading(path=str(path)).inputs_key()
    path.write_bytes(b"two")
    assert len({first, Reading(path=str(path)).inputs_key(), ""}) == 3
    path.unlink()
    with pytest.raises(UsageError, match=r"a\.pt: No such file"):
        Reading(path=str(path)).inputs_key()


# Registering ---------------------------------------------------------------------------------


def test_a_registered_feature_is_found():
    made = register(feature("found"))
    assert FEATURES.get("found") is made


@pytest.mark.parametrize("attribute", ["name", "claim"])
def test_a_feature_without_name_or_claim_is_refused(attribute):
    words = {"name": "partial", "claim": Claim.SPEED, "__annotations__": {}}
    del words[attribute]
    partial = type("Partial", (Feature,), words)
    with pytest.raises(UsageError, match=f"feature class 'Partial' has no {attribute}"):
        register(partial)


def test_a_flag_without_default_or_description_is_refused():
    class Silent(feature("silent")):
        steps: int = 3

    class Demanding(feature("demanding")):
        steps: int = Field(description="steps")

    for kind in (Silent, Demanding):
        with pytest.raises(UsageError, match=r"field 'steps' of feature '[a-z]+' lacks a default"):
            register(kind)


def test_two_features_of_one_name_are_refused():
    register(feature("twin"))
    with pytest.raises(UsageError, match="two features are called 'twin'"):
        register(type("Other", (feature("twin"),), {"__annotations__": {}}))


def test_a_name_that_no_selection_can_hold_is_refused():
    with pytest.raises(UsageError, match="cannot be called 'Bad-Name'"):
        register(feature("Bad-Name"))


# Hooks and arms ------------------------------------------------------------------------------


def test_hooks_are_those_that_are_overridden():
    assert Example.hooks() == ("sampler", "on_epoch_end")
    assert feature("none").hooks() == ()
    assert feature("all", *HOOKS).hooks() == HOOKS
    assert set(HOOKS) == set(SLOTS) | set(WRAPS) | set(EVENTS)


def test_every_hook_is_a_method_of_the_base_and_there_are_no_others():
    for_harness = {"hooks", "card", "source_key", "inputs_key", "fresh", "selection"}
    of_state = {"state_dict", "load_state_dict", "inputs"}
    own = {name for name, value in vars(Feature).items() if callable(value) or name in for_harness}
    public = {name for name in own if not name.startswith(("_", "model_"))}
    assert public == set(HOOKS) | for_harness | of_state


@pytest.mark.parametrize("slot", SLOTS)
def test_two_owners_of_a_slot_are_refused_by_both_names_and_the_slot(slot):
    one, other, third = feature("one", slot), feature("other", slot), feature("third")
    with pytest.raises(SlotConflictError, match=f"'one' and 'other' both own the slot '{slot}'"):
        join_arm([other(), third(), one()])
    assert len(join_arm([one(), third()])) == 2


@pytest.mark.parametrize("hook", [*WRAPS, *EVENTS])
def test_wraps_and_events_may_be_shared(hook):
    one, other = feature("one", hook), feature("other", hook)
    assert len(join_arm([one(), other()])) == 2


def test_an_arm_is_in_the_order_of_its_wraps_then_of_names():
    orders = {"b": 0, "a": 0, "z": -5, "y": 7}
    kinds = [feature(name, order=order) for name, order in orders.items()]
    assert [one.name for one in join_arm(kind() for kind in kinds)] == ["z", "a", "b", "y"]


def test_a_feature_stands_once_in_an_arm():
    with pytest.raises(UsageError, match=r"feature 'example' stands twice in the arm example\+ex"):
        make_arm(parse("example+example[count=3]"))


def test_built_in_features_stand_together():
    whole = parse(
        "class_weights+weighted_sampler+focal_loss+lr_finder+param_groups+amp+swa+tensorboard"
    )
    assert len(make_arm(whole)) == len(whole)
