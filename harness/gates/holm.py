"""'Passes on at least ...': which of several cells pass when not all of them have to.

Asking whether every cell passes needs no correction; picking out the ones that do is a search,
and its 5 % must cover all of them together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy import special

from harness.gates.holm_table import C_PASS_OF
from harness.gates.inputs import GateInputError
from harness.gates.sequential import distances
from harness.gates.tables import ALPHA_PASS, FIRST_PASS, MOST_PAIRS
from harness.gates.words import Json, counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.gates.f1_gate import F1Result


@dataclass(frozen=True)
class HolmResult:
    """Which tests pass at 5 % over all of them together.

    Attributes:
        passing: names, the clearest first.
        total: number of tests.
    """

    passing: tuple[str, ...]
    total: int

    @property
    def sentence(self) -> str:
        """The answer in one plain sentence."""
        names = f": {', '.join(self.passing)}" if self.passing else ""
        return f"passes on at least {len(self.passing)} of {self.total}{names} (Holm, 5 % in all)"

    def to_json(self) -> dict[str, Json]:
        """The answer as JSON data."""
        return {"passing": list(self.passing), "total": self.total, "sentence": self.sentence}


def constant(n: int, tests: int) -> float:
    """Standard errors by which look ``n`` must clear the margin at level 0.05 / ``tests``.

    Simulated for up to 20 tests; beyond, each look is held to its own share of the error, which
    is a little stricter (Bonferroni over looks).

    Raises:
        GateInputError: if ``n`` is not 5..20 or ``tests`` is below 1.
    """
    if not FIRST_PASS <= n <= MOST_PAIRS or tests < 1:
        raise GateInputError(f"there is no look {n} of {counted(tests, 'test')}", where="holm")
    if tests in C_PASS_OF:
        return C_PASS_OF[tests][n]
    spent = (FIRST_PASS if n == FIRST_PASS else 1) / MOST_PAIRS
    return -float(special.stdtrit(n - 1, ALPHA_PASS * spent / tests))


def holm(results: Mapping[str, F1Result]) -> HolmResult:
    """Find the results that pass at 5 % over all of them together.

    Step down: with k results not yet passed, one passes if any of its looks clears the margin at
    level 0.05 / k; then k - 1 are left. Every pair at hand is read up to the budget: a result that
    stopped at the uncorrected boundary may need more pairs here. IDENTICAL predictions under a
    neutral claim pass whatever k is: nothing is estimated.

    Raises:
        GateInputError: if there is no result.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal
    of Statistics 6, 1979.
    """
    if not results:
        raise GateInputError("there is no result to judge", where="results")
    looks = {name: _looks(result) for name, result in results.items()}
    passing: list[str] = []
    while len(passing) < len(results):
        left = len(results) - len(passing)
        clear = {
            name: max(far - constant(n, left) for n, far in own.items())
            for name, own in looks.items()
            if name not in passing and own
        }
        best = max(clear, key=clear.__getitem__, default=None)
        if best is None or clear[best] <= 0:
            break
        passing.append(best)
    return HolmResult(tuple(passing), len(results))


def _looks(result: F1Result) -> dict[int, float]:
    if result.neutral and result.identical:
        return {FIRST_PASS: math.inf}
    seen, asked = result.evidence, result.decision
    table = None if seen.contributions is None else seen.contributions.values
    return distances(seen.differences, asked.margin, table, asked.budget, floor=seen.floor)
