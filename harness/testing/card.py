"""Clauses that train nothing: the card, the flags, the selection, a fresh object."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from harness.errors import UsageError
from harness.feature import FEATURES, Claim, Feature, make_feature
from harness.selection import is_name, parse_single

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.testing.case import Case

PARAGRAPHS = ("Why:", "When it hurts:", "Known limitations:", "Source:")
LONGEST_FIRST_LINE = 100
_WORDS = re.compile(r"\w+")


def card_is_complete(case: Case) -> None:
    """The docstring is a whole card, the feature has name and claim, each flag is described."""
    kind = type(case.feature)
    fault = _fault_of_name(kind) or _fault_of_card(kind) or _fault_of_fields(kind)
    if fault is not None:
        what, mend = fault
        raise case.broken("card_is_complete", what, mend=mend)


def _fault_of_name(kind: type[Feature]) -> tuple[str, str] | None:
    if not is_name(getattr(kind, "name", None)):
        return "it has no usable name", "write: name: ClassVar[str] = 'a_name', of a-z, 0-9 and _"
    if not isinstance(getattr(kind, "claim", None), Claim):
        return "it claims nothing", f"write: claim: ClassVar[Claim] = one of {', '.join(Claim)}"
    return None


def _fault_of_card(kind: type[Feature]) -> tuple[str, str] | None:
    if not kind.card():
        return "it has no docstring of its own", "the docstring is the card; write one"
    lines = kind.card().splitlines()
    first = lines[0].strip()
    if len(_WORDS.findall(first)) < 3 or not first.endswith((".", ":")):  # noqa: PLR2004 - a sentence
        return f"the card's first line is no sentence: {first!r}", "say in it what the feature does"
    if len(first) > LONGEST_FIRST_LINE:
        return f"the card's first line has {len(first)} letters", "say it shorter; lists show it"
    for paragraph in PARAGRAPHS:
        found = re.search(rf"^{paragraph}(.*?)(^\s*$|\Z)", kind.card(), re.DOTALL | re.MULTILINE)
        if found is None:
            return f"the card has no paragraph '{paragraph}'", "begin a line with these words"
        if not _WORDS.search(found[1]):
            return f"the card's paragraph '{paragraph}' is empty", "write it"
    return None


def _fault_of_fields(kind: type[Feature]) -> tuple[str, str] | None:
    for name, info in kind.model_fields.items():
        if not info.description:
            return (
                f"field '{name}' lacks a description",
                "write it as: name: type = Field(default, description='...')",
            )
    return None


def selection_round_trips(case: Case) -> None:
    """Each flag can be set in a selection, and the selection gives the same feature again."""
    clause, feature = "selection_round_trips", case.feature
    if feature.name not in FEATURES.names() or FEATURES.get(feature.name) is not type(feature):
        raise case.broken(
            clause,
            f"there is no registered feature '{feature.name}', or it is another one",
            mend="decorate the class with @register and import its module",
        )
    for name, value in feature.model_dump(mode="json").items():
        if not isinstance(value, str | int | float | bool | None):
            raise case.broken(
                clause,
                f"field '{name}' is {type(value).__name__}, which no flag can hold",
                mend="make it text, a number, a truth value, an enumeration or None",
            )
    for one in (feature, *variations(feature)):
        written = str(one)
        try:
            read = make_feature(parse_single(written))
        except UsageError as error:
            what = f"its selection {written} cannot be read back: {error.what}"
            raise case.broken(clause, what, mend="let the field read what it writes") from error
        if read != one:
            raise case.broken(
                clause,
                f"its selection {written} reads back as {read!r}, not as {one!r}",
                mend="let each field be the same after it was written and read",
            )


def variations(feature: Feature) -> Iterator[Feature]:
    """The feature with one field changed at a time, where another valid value can be guessed."""
    for name, info in type(feature).model_fields.items():
        now = feature.model_dump()[name]
        for guess in _guesses(now, info.annotation):
            if guess == now:
                continue
            try:
                yield type(feature).model_validate({**feature.model_dump(), name: guess})
            except ValidationError:
                continue
            break


def _guesses(now: Any, annotation: Any) -> list[Any]:
    if isinstance(now, bool):
        return [not now]
    if hasattr(annotation, "__members__"):
        return list(annotation)
    if isinstance(now, int | float):
        return [now * 2, now + 1, now / 2, now - 1, now + 0.125, now - 0.125]
    return [f"{now}x", 'a "quoted", strange=[value]']


def fresh_is_new(case: Case) -> None:
    """``fresh()`` gives another object of the same values that has kept nothing."""
    clause, feature = "fresh_is_new", case.feature
    mend = "do not override fresh(); keep what a run needs in private attributes"
    used = feature.fresh()
    if used is feature:
        raise case.broken(clause, "fresh() gives the feature itself", mend=mend)
    for name in type(feature).__private_attributes__:
        setattr(used, name, _MARK)
    new = used.fresh()
    kept = [name for name in type(feature).__private_attributes__ if getattr(new, name) is _MARK]
    if kept:
        raise case.broken(clause, f"fresh() keeps '{kept[0]}' of the used object", mend=mend)
    if type(new) is not type(feature) or new.model_dump() != feature.model_dump():
        raise case.broken(clause, "fresh() gives other values", mend=mend)
    if not type(feature).model_config.get("frozen"):
        raise case.broken(clause, "its fields can be changed", mend="leave model_config as it is")


_MARK = object()
