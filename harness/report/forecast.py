"""The lines of ``ablate plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from harness.gates.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.matrix.forecast import Forecast, Spread

_HEADERS = ("feature", "cells", "baseline", "with it", "to FAIL", "to PASS", "at most")
_MINUTE, _HOUR = 60, 3600


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
            len(one.least.trials), len(one.passing.trials), len(one.most.trials),
        ]
        for one in found.features
    ]  # fmt: skip
    table = tabulate(rows, _HEADERS, tablefmt="plain", maxcolwidths=[30, *[None] * 6])
    yield "Trials of each feature; the baseline's are shared by all."
    yield from table.splitlines()
    yield "A run that collapses fails its feature at once, after one pair of trials."
    yield "Each baseline run that collapses is replaced, which takes one pair more."
    if any(one.elsewhere for one in found.features):
        count = sum(one.elsewhere for one in found.features)
        yield f"{counted(count, 'cell')} on other hardware: run there, then ablate merge."


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
        yield f"F1 gate with a margin of {100 * margin:+g} points ({names}):"
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
