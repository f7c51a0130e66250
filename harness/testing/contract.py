"""The contract: its clauses by name, and the two checks that authors call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import SlotConflictError, UsageError
from harness.feature import SLOTS, join_arm
from harness.testing.card import card_is_complete, fresh_is_new, selection_round_trips
from harness.testing.case import ContractError, make_case
from harness.testing.smoke import smoke_arm, trains_on_every_model, works_with_clipping
from harness.testing.traces import (
    insight_changes_nothing,
    nothing_stays_between_fits,
    off_leaves_no_trace,
    resume_is_exact,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from harness.feature import Feature
    from harness.selection import Selection
    from harness.testing.case import Case

CLAUSES: Mapping[str, Callable[[Case], None]] = {
    clause.__name__: clause
    for clause in (
        card_is_complete,
        selection_round_trips,
        fresh_is_new,
        off_leaves_no_trace,
        nothing_stays_between_fits,
        insight_changes_nothing,
        trains_on_every_model,
        works_with_clipping,
        resume_is_exact,
    )
}
"""Every clause of the contract by its name; each takes a case and raises ``ContractError``."""

PAIR_EPOCHS = 3


def check_feature(
    feature: type[Feature] | Feature | Selection | str,
    *,
    models: Sequence[Selection | str] | None = None,
    clauses: Iterable[str] = tuple(CLAUSES),
) -> None:
    """Hold a feature to the contract; all of it takes some seconds.

    Args:
        feature: a class (at its defaults), an object, or a selection such as ``swa[start=0.5]``.
        models: selections of models, all built-in ones by default; clauses that need only one
            take the first.
        clauses: names of the clauses to check, all by default.

    Raises:
        ContractError: at the first clause that the feature breaks, saying how to mend it.
        UsageError: if there is no such feature, model or clause.
    """
    case = make_case(feature, models)
    for name in clauses:
        if name not in CLAUSES:
            raise UsageError(
                f"there is no clause '{name}'", mend=f"there are: {', '.join(CLAUSES)}"
            )
        try:
            CLAUSES[name](case)
        except ContractError:
            raise
        except Exception as error:
            raise case.broken(
                name,
                f"it raised {type(error).__name__}: {error}",
                mend="the traceback of the cause stands above this one",
            ) from error


def check_pair(
    first: type[Feature] | Feature | Selection | str,
    second: type[Feature] | Feature | Selection | str,
    *,
    models: Sequence[Selection | str] | None = None,
) -> bool:
    """Hold two features together: they train, or are refused in the plan by both their names.

    Returns:
        Whether the two can stand in one arm.

    Raises:
        ContractError: if they cannot be told apart, or break each other's training.
    """
    clause = "pairs_train_or_are_refused"
    case, other = make_case(first, models), make_case(second, models)
    one, two = case.feature, other.feature
    both = f"{one} and {two}"
    shared = set(one.hooks()) & set(two.hooks()) & set(SLOTS)
    try:
        arm = join_arm((one, two))
    except SlotConflictError as error:
        if all(name in error.what for name in (one.name, two.name, *shared)):
            return False
        raise ContractError(
            clause, both, f"the refusal names not both: {error.what}", mend="name them"
        ) from error
    fault = smoke_arm(case, arm, PAIR_EPOCHS)
    if fault is not None:
        raise ContractError(
            clause, both, fault, mend="let both own the slot that they contend for, or mend one"
        )
    return True
