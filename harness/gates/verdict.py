"""A feature's verdict over its cells: models, data sets and kinds of hardware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.gates.cell import F1, Cell, CellKey
from harness.gates.inputs import GateInputError
from harness.gates.pool import pool_hardware
from harness.gates.words import Json, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.gates.f1_gate import F1Result
    from harness.gates.policy import Rules

_KINDS_FOR_ACROSS: Final = 2


@dataclass(frozen=True, eq=False)
class FeatureVerdict:
    """What is said of a feature, and why.

    Attributes:
        verdict: PASS, FAIL, INCONCLUSIVE, or NOT_MEASURED where no cell was run.
        cells: every required cell, also those that were not run, and those run beside them.
        pooled: F1 result over hardware of each model and data set, by (model, data).
        reasons: what keeps the verdict from PASS; empty on PASS.
        rules: what the feature was held to.
    """

    verdict: Verdict
    cells: tuple[Cell, ...]
    pooled: Mapping[tuple[str, str], F1Result]
    reasons: tuple[str, ...]
    rules: Rules

    @property
    def missing(self) -> tuple[CellKey, ...]:
        """Required cells that were not run."""
        return tuple(cell.key for cell in self.cells if cell.verdict is Verdict.NOT_MEASURED)

    @property
    def hardware(self) -> tuple[str, ...]:
        """Kinds of hardware that were measured."""
        ran = {cell.key.hardware for cell in self.cells if cell.verdict is not Verdict.NOT_MEASURED}
        return tuple(sorted(ran))

    @property
    def across_hardware(self) -> bool:
        """Whether it may be said that the feature works across kinds of hardware."""
        return self.verdict is Verdict.PASS and len(self.hardware) >= _KINDS_FOR_ACROSS

    @property
    def sentence(self) -> str:
        """The verdict and its reasons in plain words."""
        if self.verdict is not Verdict.PASS:
            return f"{self.verdict}: {'; '.join(self.reasons)}"
        where = f"on {', '.join(self.hardware)}"
        if not self.across_hardware:
            where += " alone, which says nothing about other kinds of hardware"
        return f"{self.verdict}: every gate passes in every cell, {where}"

    @property
    def overridden(self) -> str:
        """What configuration changed, in words; empty where nothing."""
        return f"overridden: {', '.join(self.rules.overrides)}" if self.rules.overrides else ""

    def to_json(self) -> dict[str, Json]:
        """The verdict as JSON data."""
        return {
            "verdict": self.verdict.value,
            "sentence": self.sentence,
            "reasons": list(self.reasons),
            "overrides": list(self.rules.overrides),
            "rules": self.rules.to_json(),
            "across_hardware": self.across_hardware,
            "missing": [f"{key.model} on {key.data}, {key.hardware}" for key in self.missing],
            "pooled": [
                {"model": model, "data": data, "f1": result.to_json()}
                for (model, data), result in self.pooled.items()
            ],
            "cells": [cell.to_json() for cell in self.cells],
        }


def judge_feature(
    cells: Sequence[Cell], required: Sequence[CellKey], rules: Rules
) -> FeatureVerdict:
    """Put the cells of one feature together.

    PASS needs all of: (i) for every model and data set, F1 passes on pairs pooled over hardware;
    (ii) the mean of every hardware alone reaches the margin, and no cell fails on F1; (iii) every
    other gate passes in every cell; (iv) no required cell is missing. FAIL if any cell fails, or
    F1 pooled over hardware does. All conditions must hold at once, so no correction for their
    number is due (an intersection-union test).

    Args:
        cells: the cells that were run; ones that were not may be left out.
        required: the cells that the verdict needs.
        rules: what the feature is held to.

    Raises:
        GateInputError: if a cell is given twice, or no cell is required.

    Source: Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics
    24, 1982.
    """
    by_key = {cell.key: cell for cell in cells}
    if len(by_key) != len(cells):
        raise GateInputError("a cell is given twice", where="cells")
    if not required:
        raise GateInputError("a verdict needs at least one cell", where="required")
    every = tuple(
        by_key.get(key) or Cell(key, required=rules.gates)
        for key in dict.fromkeys((*required, *by_key))
    )
    pooled = _pool(every)
    failed = [cell for cell in every if cell.verdict is Verdict.FAIL]
    reasons = [cell.sentence for cell in failed]
    reasons += [
        f"{model} on {data}, pooled over hardware: {result.sentence}"
        for (model, data), result in pooled.items()
        if result.verdict is Verdict.FAIL and not any(_same(cell, model, data) for cell in failed)
    ]
    if reasons:
        return FeatureVerdict(Verdict.FAIL, every, pooled, tuple(reasons), rules)
    if all(cell.verdict is Verdict.NOT_MEASURED for cell in every):
        return FeatureVerdict(Verdict.NOT_MEASURED, every, pooled, (_not_run(every),), rules)
    reasons = _open(every, pooled, rules)
    verdict = Verdict.INCONCLUSIVE if reasons else Verdict.PASS
    return FeatureVerdict(verdict, every, pooled, tuple(reasons), rules)


def _pool(cells: Sequence[Cell]) -> dict[tuple[str, str], F1Result]:
    found: dict[tuple[str, str], list[F1Result]] = {}
    for cell in cells:
        if cell.f1 is not None and not cell.invalid_baseline:
            found.setdefault((cell.key.model, cell.key.data), []).append(cell.f1)
    return {key: pool_hardware(results) for key, results in found.items()}


def _open(
    cells: Sequence[Cell], pooled: Mapping[tuple[str, str], F1Result], rules: Rules
) -> list[str]:
    reasons = []
    if any(cell.verdict is Verdict.NOT_MEASURED for cell in cells):
        reasons.append(_not_run(cells))
    reasons += [
        f"{model} on {data}: {result.sentence}"
        for (model, data), result in pooled.items()
        if result.verdict is not Verdict.PASS
    ]
    for cell in cells:
        name = f"{cell.key.model} on {cell.key.data}, {cell.key.hardware}"
        if cell.verdict is Verdict.NOT_MEASURED:
            continue
        if cell.invalid_baseline:
            reasons.append(cell.sentence)
            continue
        reasons += [
            f"{name}: {gate} {cell.gates[gate].sentence if gate in cell.gates else 'not measured'}"
            for gate, answer in cell.answers.items()
            if answer is not Verdict.PASS and (gate != F1 or cell.f1 is None)
        ]
        if cell.f1 is not None and not _own_mean_reaches(cell.f1, rules.margin):
            reasons.append(f"{name}: its own mean of F1 does not reach the margin")
    return reasons


def _own_mean_reaches(result: F1Result, margin: float) -> bool:
    return result.decision.mean is not None and result.decision.mean >= margin


def _same(cell: Cell, model: str, data: str) -> bool:
    return (cell.key.model, cell.key.data) == (model, data)


def _not_run(cells: Sequence[Cell]) -> str:
    missing = [cell.key for cell in cells if cell.verdict is Verdict.NOT_MEASURED]
    ran = {cell.key.hardware for cell in cells if cell.verdict is not Verdict.NOT_MEASURED}
    whole = sorted({key.hardware for key in missing} - ran)
    parts = [f"{key.model} on {key.data}, {key.hardware}" for key in missing if key.hardware in ran]
    return f"not run on: {', '.join((*whole, *parts))}"
