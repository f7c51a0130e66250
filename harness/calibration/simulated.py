"""Calibration by simulation: thousands of gates through the code that judges real runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.calibration.line import Line
from harness.gates.planning import power
from harness.gates.simulate.figures import all_figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from harness.gates.planning import Power
    from harness.gates.simulate.figures import Figure

POOLS: Final = 300
TRUTHS: Final = (-0.02, 0.0, 0.01, 0.02, 0.03, 0.05)
SPREADS: Final = (0.01, 0.02, 0.042)
BUDGETS: Final = (10, 20)
HEADERS: Final = ("true gain", "sd", "pairs", "PASS", "FAIL", "undecided", "median pairs")
_ERRORS = 2.0


def promises(rng: np.random.Generator, gates: int) -> Iterator[Line]:
    """Every promised number beside what so many simulated gates obtained, one by one.

    A promise counts as broken beyond two standard errors of the simulation.
    """
    for figure in all_figures(rng, gates=gates, pools=min(gates, POOLS)):
        yield line_of(figure)


def line_of(figure: Figure) -> Line:
    """A figure as a line."""
    bounds = [f">= {figure.least:g}"] if figure.least is not None else []
    bounds += [f"<= {figure.most:g}"] if figure.most is not None else []
    return Line(
        f"{figure.item}. {figure.what}",
        ", ".join(bounds),
        f"{figure.value:.4g}",
        figure.holds(_ERRORS),
    )


@dataclass(frozen=True)
class Characteristics:
    """What the design makes of one truth.

    Attributes:
        power: the truth, its spread and how the simulated gates ended.
    """

    power: Power

    @property
    def row(self) -> tuple[str, ...]:
        """Cells of a table under ``HEADERS``; gains in points of F1."""
        of, rates = self.power, self.power.rates
        return (
            f"{100 * of.true:+g}", f"{of.sd:g}", str(of.budget), f"{rates.passed:.1%}",
            f"{rates.failed:.1%}", f"{1 - rates.passed - rates.failed:.1%}",
            f"{rates.median_pairs:g}",
        )  # fmt: skip


def characteristics(rng: np.random.Generator, gates: int) -> Iterator[Characteristics]:
    """How often the F1 gate at the roadmap's margin ends how, over truths, spreads and budgets."""
    for budget in BUDGETS:
        for spread in SPREADS:
            for true in TRUTHS:
                found = power(true, spread, rng=rng, budget=budget, gates=gates)
                yield Characteristics(found)
