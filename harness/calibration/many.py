"""How often real trainings pass a feature that is worth nothing: many gates, each on its own data.

The candidate begins with other random weights. Its runs differ from the baseline's and are worth
exactly as much, so every PASS is a false one. Gates share nothing: each
has its own graphs, splits and runs, so that they count as independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scipy import stats

from harness.calibration.line import Line
from harness.calibration.real import settings
from harness.config import Override
from harness.gates.words import Verdict
from harness.graphs.sources import silent
from harness.matrix.ablation import lay_out
from harness.matrix.campaign import Campaign
from harness.matrix.judge import Judge
from harness.matrix.local import LocalExecutor
from harness.matrix.results import Results

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harness.matrix.events import Event
    from harness.matrix.planned import Plan

CANDIDATE: Final = "calibration_restart"
PAIRS: Final = 10
MARGINS: Final = ((0.02, 0.005), (0.0, 0.035))
"""F1 margins, each with the rate of PASS that the gate promises at most at a true gain of 0.

At the margin itself 5 % are spent in 20 pairs, and half of them in ten.
"""
_CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Count:
    """Verdicts of many F1 gates on a feature that is worth nothing.

    Attributes:
        margin: what the F1 difference had to exceed.
        promised: rate of PASS that the gate promises at most.
        passed: gates that passed it.
        failed: gates that failed it.
        judged: gates that judged it.
        invalid: gates that judged nothing, since their baseline collapsed twice.
        trials: finished trials that the verdicts rest on.
    """

    margin: float
    promised: float
    passed: int
    failed: int
    judged: int
    invalid: int
    trials: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the rate of PASS.

        Source: Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 26,
        1934.
        """
        if not self.judged:
            return 0.0, 1.0
        found = stats.binomtest(self.passed, self.judged).proportion_ci(_CONFIDENCE, "exact")
        return float(found.low), float(found.high)

    def line(self) -> Line:
        """A surprise is a rate that even the interval's lower end says is more than promised."""
        low, high = self.interval
        invalid = f", {self.invalid} with an invalid baseline" if self.invalid else ""
        return Line(
            f"{self.judged} real gates, nothing to find, margin {100 * self.margin:+g} points",
            f"PASS in at most {self.promised:.1%}",
            f"PASS {self.passed} of {self.judged} = {self.passed / max(1, self.judged):.1%} "
            f"({low:.1%} to {high:.1%}), FAIL {self.failed}{invalid}; {self.trials} trials",
            self.judged > 0 and low <= self.promised,
        )


def count_passes(
    gates: int,
    out: Path,
    changed: Mapping[str, Any],
    listen: Callable[[Event], None],
) -> list[Count]:
    """Judge a worthless feature on so many data sets, at each of ``MARGINS``.

    Trials are shared between margins and kept: a run that was stopped goes on.

    Args:
        gates: how many data sets.
        out: folder of the results.
        changed: values of ``RunConfig`` beside those of the gates.
        listen: told of trials and verdicts.

    Raises:
        HarnessError: if data or results cannot be read.
        OSError: if the folder cannot be written.
    """
    config = settings(
        **{
            "data": ",".join(f"calibration[seed={seed}]" for seed in range(gates)),
            "seeds": PAIRS,
            "features": CANDIDATE,
            "baseline": "plain",
            "out": out,
            **changed,
        }
    )
    laid = lay_out(config, silent)
    plan = _apart(laid.plan)
    judge = Judge(plan, laid.store, Results(laid.store, laid.judge.results.folders))
    executor = LocalExecutor(laid.store, laid.jobs, laid.timeout, laid.plugins)
    Campaign(judge, executor, listen).train()
    return [_count(judge, margin, promised) for margin, promised in MARGINS]


def _apart(plan: Plan) -> Plan:
    """The plan with each cell as a feature of its own for each margin: none waits for another."""
    (feature,) = plan.features
    features = [
        feature.model_copy(
            update={
                "name": f"{feature.name} on {number} at {margin}",
                "cells": (cell,),
                "override": Override(margin=margin),
            }
        )
        for number, cell in enumerate(feature.cells)
        for margin, _ in MARGINS
    ]
    return plan.model_copy(update={"features": tuple(features)})


def _count(judge: Judge, margin: float, promised: float) -> Count:
    features = [one for one in judge.plan.features if one.override.margin == margin]
    cells = [judge.progress(feature).states[0].cell for feature in features]
    judged = [cell for cell in cells if not cell.invalid_baseline and cell.f1 is not None]
    answers = [cell.answers["f1"] for cell in judged]
    keys = {
        key
        for feature in features
        for arm in feature.cells[0].arms
        for key in arm
        if judge.results.has(key)
    }
    return Count(
        margin, promised,
        passed=answers.count(Verdict.PASS), failed=answers.count(Verdict.FAIL),
        judged=len(judged), invalid=len(cells) - len(judged), trials=len(keys),
    )  # fmt: skip
