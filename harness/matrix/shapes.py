"""The shapes of a matrix: which arm is held against which.

- ``add-one`` judges *with and without*: a feature outside of the baseline is added to it, one
  inside is taken out of it. The reference arm lacks the feature, the candidate arm has it.
- ``drop-one`` takes each feature of the full arm out in turn; the full arm is the baseline and all
  that is selected. Every candidate arm is the full arm, the reference arms differ.
- ``pairs`` puts every two candidates together. Beside the reference and the arm with both, each
  cell has the arms with one of them alone, so that the interaction can be told.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from harness.errors import UsageError
from harness.feature import FEATURES, make_arm
from harness.selection import Selection, parse, parse_list, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.feature import Feature

PHASE_1 = "class_weights+weighted_sampler+focal_loss+lr_finder"
BASELINES = {"phase1": PHASE_1, "plain": ""}
ALL = "all"
PARTS = 2
"""Parts of a pair."""

Arm = tuple["Feature", ...]
Candidate = tuple[Selection, ...]


class Shape(StrEnum):
    """How the candidates are compared."""

    ADD_ONE = "add-one"
    DROP_ONE = "drop-one"
    PAIRS = "pairs"


class Uncombined(BaseModel):
    """Two candidates that no arm can hold together.

    Attributes:
        name: both, joined.
        why: what is in the way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    why: str

    @property
    def sentence(self) -> str:
        """What a report says of them."""
        return f"{self.name} cannot be combined: {self.why}"


@dataclass(frozen=True)
class Comparison:
    """One candidate and the arms that its cells train.

    Attributes:
        candidate: features that are judged, as the arm has them.
        against: what the reference arm is, in words.
        reference: the arm without the candidate.
        arm: the arm with it.
        parts: selections of the two parts of a pair; empty otherwise.
        apart: the arms with one part of a pair alone, in the same order.
    """

    candidate: Arm
    against: str
    reference: Arm
    arm: Arm
    parts: tuple[str, ...] = ()
    apart: tuple[Arm, ...] = ()

    @property
    def name(self) -> str:
        """The candidate's selection, canonical."""
        return _written(self.candidate)


@dataclass(frozen=True)
class Matrix:
    """What a shape makes of the candidates and the baseline.

    Attributes:
        shape: the shape.
        baseline: the arm that the report calls the baseline: the full arm of drop-one.
        comparisons: one for each candidate or pair, in the order in which they are taken.
        uncombined: pairs that cannot be.
    """

    shape: Shape
    baseline: Arm
    comparisons: tuple[Comparison, ...]
    uncombined: tuple[Uncombined, ...] = ()


def candidates_of(text: str, shape: Shape = Shape.ADD_ONE) -> list[Candidate]:
    """Read ``--features``: selections, among them ``all`` for every registered feature by itself.

    Features that enclose the whole fit are no part of ``all``: they train several times in each
    run, and a matrix with them takes many times as long. With drop-one ``all`` means all that the
    baseline has: nothing is added to it.

    Raises:
        UsageError: if nothing is selected or a name is unknown.
    """
    selected = parse_list(text)
    found: list[Candidate] = []
    for one in selected:
        if one != (Selection(ALL),):
            found.append(one)
        elif shape is not Shape.DROP_ONE:
            found += [(Selection(name),) for name, kind in FEATURES if not _is_costly(kind)]
    if not selected:
        raise UsageError(
            "no feature is selected", where="--features", mend="name some, or say: --features all"
        )
    return found


def left_out_of(text: str) -> list[str]:
    """Names of the features that ``all`` in ``--features`` leaves out and nothing else names."""
    selected = parse_list(text)
    named = {each.name for one in selected for each in one}
    if (Selection(ALL),) not in selected:
        return []
    return [name for name, kind in FEATURES if _is_costly(kind) and name not in named]


def _is_costly(kind: type[Feature]) -> bool:
    return "around_fit" in kind.hooks()


def baseline_of(text: str) -> Arm:
    """Read ``--baseline``: ``phase1``, ``plain``, features joined by ``+``, or a mixture.

    Raises:
        UsageError: if a feature is unknown, or the arm cannot be.
    """
    selections: list[Selection] = []
    for one in parse(text):
        named = BASELINES.get(one.name)
        selections += [one] if named is None else parse(named) if named else []
    return make_arm(selections)


def arms_of(candidate: Sequence[Selection], baseline: Sequence[Feature]) -> tuple[Arm, Arm]:
    """The reference arm and the candidate arm of a candidate.

    Raises:
        UsageError: if a feature or field is unknown.
        SlotConflictError: if two features own one slot.
    """
    rest = _without(baseline, candidate)
    return make_arm(rest), make_arm([*rest, *candidate])


def make_matrix(shape: Shape, candidates: Sequence[Candidate], baseline: Arm) -> Matrix:
    """Find the arms that a shape compares; nothing is trained for it.

    Args:
        shape: how the candidates are compared.
        candidates: from ``candidates_of``.
        baseline: from ``baseline_of``.

    Raises:
        UsageError: if a feature or field is unknown, a candidate stands twice, or there is nothing
            to compare.
        SlotConflictError: if two features of an arm own one slot; between the two of a pair that
            is no error as long as another pair can be.
    """
    make = {Shape.ADD_ONE: _add_one, Shape.DROP_ONE: _drop_one, Shape.PAIRS: _pairs}[shape]
    matrix = make(candidates, baseline)
    names = Counter(one.name for one in matrix.comparisons)
    for name, times in names.items():
        if times > 1:
            raise UsageError(
                f"'{name}' is selected {times} times", where="--features", mend="name it once"
            )
    return matrix


def _add_one(candidates: Sequence[Candidate], baseline: Arm) -> Matrix:
    found = []
    for candidate in candidates:
        reference, arm = arms_of(candidate, baseline)
        inside = len(reference) < len(baseline)
        against = "baseline without it" if inside else "baseline"
        found.append(Comparison(_named(arm, candidate), against, reference, arm))
    return Matrix(Shape.ADD_ONE, baseline, tuple(found))


def _drop_one(candidates: Sequence[Candidate], baseline: Arm) -> Matrix:
    selected = [selection for candidate in candidates for selection in candidate]
    kept = _without(baseline, selected)
    full = make_arm([*kept, *selected])
    if not full:
        raise UsageError(
            "there is nothing to take out, the full arm has no feature",
            where="--shape drop-one",
            mend="give a --baseline that has features, or name some in --features",
        )
    found = []
    for part in (*((selection,) for selection in kept), *candidates):
        against = "all without it" if len(part) == 1 else "all without them"
        reference = make_arm(_without(full, part))
        found.append(Comparison(_named(full, part), against, reference, full))
    return Matrix(Shape.DROP_ONE, full, tuple(found))


def _pairs(candidates: Sequence[Candidate], baseline: Arm) -> Matrix:
    if len(candidates) < PARTS:
        raise UsageError(
            "a pair takes two features", where="--shape pairs", mend="name more in --features"
        )
    parts = [_written(_named(make_arm(candidate), candidate)) for candidate in candidates]
    found, uncombined = [], []
    for (one, first), (other, second) in combinations(zip(parts, candidates, strict=True), PARTS):
        both = (*first, *second)
        rest = _without(baseline, both)
        try:
            arms = [make_arm([*rest, *some]) for some in ((), first, second, both)]
        except UsageError as error:  # each candidate by itself was made above: they do not fit
            uncombined.append(Uncombined(name=f"{one}+{other}", why=error.what))
            continue
        reference, *apart, arm = arms
        against = "baseline without them" if len(reference) < len(baseline) else "baseline"
        candidate = _named(arm, both)
        found.append(Comparison(candidate, against, reference, arm, (one, other), tuple(apart)))
    if not found:
        raise UsageError(
            "; ".join(one.sentence for one in uncombined),
            where="--shape pairs",
            mend="select features that can stand in one arm",
        )
    return Matrix(Shape.PAIRS, baseline, tuple(found), tuple(uncombined))


def _without(arm: Sequence[Feature], selections: Sequence[Selection]) -> list[Selection]:
    """What is left of an arm when features are taken out, whatever their values are."""
    names = {selection.name for selection in selections}
    return [feature.selection() for feature in arm if feature.name not in names]


def _named(arm: Arm, selections: Sequence[Selection]) -> Arm:
    by_name = {feature.name: feature for feature in arm}
    return tuple(by_name[selection.name] for selection in selections)


def _written(features: Sequence[Feature]) -> str:
    return write(tuple(feature.selection() for feature in features))
