"""Trials that break by themselves: one that hangs, one whose loss is NaN, hooks that raise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import ExitCode
from harness.feature import HOOKS
from tests.faults import evidence
from tests.faults.bench import USUAL
from tests.faults.outline import Outcome, Seen, seen

if TYPE_CHECKING:
    from random import Random

    from tests.faults.bench import Bench, Question

_LIMIT = 60
"""Seconds; trials that do not hang take one."""


def hang(bench: Bench, draw: Random) -> Seen:
    """Let a trial hang: it costs its time-out."""
    del draw
    asked = replace(
        USUAL, features="planted_crash[way=hang]", more=("--timeout", str(_LIMIT)),
        code=ExitCode.NOT_MEASURED,
    )  # fmt: skip
    return _broken(bench, asked, f"stopped after {_LIMIT} s")


def lose_the_loss(bench: Bench, draw: Random) -> Seen:
    """Let the loss be NaN from some epoch on: a collapse, recorded as such."""
    epoch = draw.randrange(4)
    return _broken(bench, replace(USUAL, features=f"faults_nan[epoch={epoch}]"), "not_finite")


def raise_in_hooks(bench: Bench, draw: Random) -> Seen:
    """Let a feature raise, in each hook that there is; feature and hook are said."""
    del draw
    names = [f"faults_in_{hook}" for hook in HOOKS]
    asked = replace(USUAL, features=",".join(names), code=ExitCode.NOT_MEASURED)
    said = [
        f"feature 'faults_in_{hook}' in {hook}: RuntimeError: planted where {hook} is asked"
        for hook in HOOKS
    ]
    return replace(_broken(bench, asked, *said), injected=len(HOOKS))


def _broken(bench: Bench, asked: Question, *said: str) -> Seen:
    """Run it, and report on it: both say what broke, and what is finished is whole."""
    out = bench.new_folder()
    problems = bench.run(asked, out).problems([asked.code], *said)
    report = bench.drivers.start(["report", str(out)]).wait()
    problems += report.problems([asked.code], *said)
    problems += evidence.half_written(out)
    return seen(problems, Outcome.SAID, where=asked.features)
