"""The lines of ``ablate plan``."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from harness.gates.words import counted
from harness.matrix.shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.matrix.forecast import Forecast, Spread

_COURSES = ("to FAIL", "to PASS", "at most")
_HEADS = {
    Shape.ADD_ONE: ("feature", "cells", "baseline", "with it"),
    Shape.DROP_ONE: ("feature", "cells", "without", "full arm"),
    Shape.PAIRS: ("pair", "cells", "baseline", "both", "apart"),
}
_SHARED = {
    Shape.ADD_ONE: "Trials of each feature; the baseline's are shared by all.",
    Shape.DROP_ONE: "Trials of each feature; the full arm's are shared by all.",
    Shape.PAIRS: "Trials of each pair; the baseline's and those of one feature apart are shared.",
}
_MINUTE, _HOUR = 60, 3600
_WIDTH, _GAP = 80, 2


def lines_of(found: Forecast, jobs: int) -> Iterator[str]:
    """A forecast in plain text, line by line, readable at 80 columns."""
    yield from _trials(found)
    yield ""
    yield from _times(found, jobs)
    yield ""
    yield from _power(found)


def _trials(found: Forecast) -> Iterator[str]:
    rows = [
        [
            one.name, one.cells, one.baseline, one.candidate,
            *((one.apart,) if found.shape is Shape.PAIRS else ()),
            len(one.least.trials), len(one.passing.trials), len(one.most.trials),
        ]
        for one in found.features
    ]  # fmt: skip
    headers = (*_HEADS[found.shape], *_COURSES)
    for pair in found.uncombined:
        yield from textwrap.wrap(pair.sentence, _WIDTH)
    yield _SHARED[found.shape]
    yield from _table(rows, headers)
    if found.shape is Shape.PAIRS:
        yield "A run of both that collapses fails the pair at once, after one seed."
        yield "Each baseline run that collapses is replaced, which takes one seed more."
    else:
        yield "A run that collapses fails its feature at once, after one pair of trials."
        yield "Each baseline run that collapses is replaced, which takes one pair more."
    if any(one.elsewhere for one in found.features):
        count = sum(one.elsewhere for one in found.features)
        yield f"{counted(count, 'cell')} on other hardware: run there, then ablate merge."


def _table(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> Iterator[str]:
    """A table whose first column takes what the others leave of the line."""
    numbers = [[str(value) for value in row[1:]] for row in (headers, *rows)]
    widths = [max(map(len, column)) for column in zip(*numbers, strict=True)]
    room = _WIDTH - sum(widths) - _GAP * len(widths)
    names = [textwrap.wrap(str(row[0]), room, break_on_hyphens=False) for row in (headers, *rows)]
    first = max(len(line) for lines in names for line in lines)
    gap = " " * _GAP
    for (name, *rest), row in zip(names, numbers, strict=True):
        cells = (value.rjust(width) for value, width in zip(row, widths, strict=True))
        yield gap.join((name.ljust(first), *cells))
        yield from rest


def _times(found: Forecast, jobs: int) -> Iterator[str]:
    for (data, model), pace in found.paces.items():
        origin = f"median of {counted(pace.trials, 'stored trial')}" if pace.trials else "probed"
        yield (
            f"{model} on {data}: {clock(pace.trial)} a trial, {pace.epoch:.2f} s an epoch "
            f"({origin})"
        )
    for course in found.courses:
        stored = f", {course.stored} of them stored" if course.stored else ""
        yield f"{course.what}:"
        yield f"  {course.trials} trials{stored}; {clock(course.seconds)} with {jobs} at a time"
    yield "Timed blocks are counted in; features without stored trials are taken to cost"
    yield "what the baseline costs."


def _power(found: Forecast) -> Iterator[str]:
    yield _spread(found.spread)
    for margin, powers in found.powers.items():
        names = ", ".join(found.judged[margin])
        head = f"F1 gate with a margin of {100 * margin:+g} points ({names}):"
        yield from textwrap.wrap(head, _WIDTH, break_on_hyphens=False)
        for one in powers:
            fails = f"fails in {100 * one.rates.failed:.0f} %"
            yield f"  {one.sentence}, {fails};"
            yield f"    half of the gates end by pair {one.rates.median_pairs:g}"
    if found.cells > 1:
        yield f"That is one cell: a feature must pass in all of its {found.cells} cells."


def _spread(spread: Spread) -> str:
    if not spread.pairs:
        return f"Power at an sd of {spread.sd:g}, which is assumed: no pairs are stored yet."
    pairs, cells = counted(spread.pairs, "stored pair"), counted(spread.cells, "cell")
    return f"Power at an sd of {spread.sd:g}, that of {pairs} in {cells}."


def clock(seconds: float) -> str:
    """Seconds as people say them: ``8 s``, ``4 min``, ``2 h 05 min``."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.2g} s" if seconds < _MINUTE / 6 else f"{seconds:.0f} s"
    minutes = round(seconds / _MINUTE)
    if seconds < _HOUR:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min"
