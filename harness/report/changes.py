"""What changed since a revision and what is judged for it, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.matrix.changes import How, Stale

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from harness.matrix.changes import Change
    from harness.matrix.scope import Scope

_KEYS = (
    "Trials are stored under a hash of whole texts, so the next run that needs theirs trains anew."
)


def lines_of(scope: Scope) -> Iterator[str]:
    """Everything that a person must know of the changes, and of what follows from them."""
    yield f"Changes since {scope.revision.name}, committed or not:"
    for name, change in scope.changes.features.items():
        yield from _feature(scope, name, change)
    for name in scope.changes.deleted:
        yield f"feature {name}: deleted, so there is nothing to judge"
    yield from _models(scope)
    yield from _outside(scope)
    yield from _engine(scope)
    yield from _baseline(scope)
    yield _conclusion(scope)


def _feature(scope: Scope, name: str, change: Change) -> Iterator[str]:
    files = _shown(scope, change.files)
    match change.how:
        case How.CHANGED if change.unreadable:
            yield f"feature {name}: changed: {files} was no Python that can be read"
        case How.CHANGED:
            yield f"feature {name}: changed: {files}"
        case How.NEW:
            yield f"feature {name}: new: {files}"
        case How.MOVED:
            yield f"feature {name}: the same code, which was in {files}"
        case How.SAME | How.OUTSIDE:
            pass


def _models(scope: Scope) -> Iterator[str]:
    for name, change in scope.changes.models.items():
        if change.counts:
            left = "" if name in scope.models else "; it is not among --models"
            yield f"model {name}: {change.how.value}: {_shown(scope, change.files)}{left}"


def _outside(scope: Scope) -> Iterator[str]:
    named = (("feature", scope.changes.features), ("model", scope.changes.models))
    outside = [
        f"{kind} {name}"
        for kind, changes in named
        for name, change in changes.items()
        if change.how is How.OUTSIDE
    ]
    if not scope.changes.engine.compared:
        outside.append("the engine")
    if outside:
        yield f"outside of the repository or ignored by git, not compared: {', '.join(outside)}"


def _engine(scope: Scope) -> Iterator[str]:
    engine = scope.changes.engine
    if engine.code:
        yield f"the engine, which every trial goes through: {_shown(scope, engine.code)}"
    yield from scope.changes.pins
    if engine.beside:
        yield (
            f"code that builds data or judges: {_shown(scope, engine.beside)}. No trial goes "
            "through it, so no run follows from it; ablate report judges stored trials by it."
        )
    words = (*engine.words, *scope.changes.words)
    if words:
        yield f"docstrings, comments or layout alone: {_shown(scope, words)}. {_KEYS}"


def _baseline(scope: Scope) -> Iterator[str]:
    if scope.baseline:
        yield f"the baseline has what changed: {', '.join(scope.baseline)}"
    if not scope.void:
        return
    yield (
        "The stored baseline is void: its trials were trained by other code. Every baseline trial "
        "that is needed is trained anew, which takes longer than usual, and a verdict from before "
        "says nothing about the code as it is now."
    )
    if scope.stale is Stale.ALL:
        yield (
            "So every feature asked for is judged anew (--stale-baseline changed: those alone "
            "that changed themselves)."
        )
    else:
        yield (
            "Those features alone are judged that changed themselves (--stale-baseline changed); "
            "the others' verdicts rest on the old baseline."
        )


def _conclusion(scope: Scope) -> str:
    names = ", ".join(scope.candidates)
    if names:
        return f"To be judged, {len(scope.candidates)} of {scope.asked}: {names}"
    counted = any(change.counts for change in scope.changes.features.values())
    if counted or scope.void:
        return "Nothing asked for changed itself: no run is needed, nothing was judged."
    if scope.changes.engine.words or scope.changes.words:
        return "No code changed that is trained: no run is needed, nothing was judged."
    return "Nothing changed that is trained: no run is needed, nothing was judged."


def _shown(scope: Scope, files: Iterable[Path]) -> str:
    return ", ".join(map(scope.revision.shown, files))
