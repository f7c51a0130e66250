"""Compute the constants of `harness.gates.tables` and of `harness.gates.holm_table`.

    python -m harness.gates.boundaries --paths 4000000
    python -m harness.gates.boundaries --paths 4000000 --holm > harness/gates/holm_table.py

Null paths of normal differences are followed pair by pair. At the first look the paths with the
largest t statistics, alpha * first / 20 of all, cross the boundary; at each later look alpha / 20
of all, taken from those that have not crossed before. The constant is where that share begins.
Each direction is computed on its own, as if the other never stopped a path: PASS stays at 5 %
even where someone goes on after a FAIL.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats

from harness.gates.tables import (
    ALPHA_FAIL,
    ALPHA_PASS,
    C_FAIL,
    C_PASS,
    FIRST_FAIL,
    FIRST_PASS,
    MOST_PAIRS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

HOLM_TESTS: Final = 20
TOLERANCE: Final = 0.03

# Paths that are in memory at once: two running sums and a statistic each, 6 MB in all.
_CHUNK = 250_000


@dataclass(frozen=True)
class Boundary:
    """Constants of one direction, look by look.

    Attributes:
        constants: number of standard errors, by look.
        errors: standard error of each constant over the chunks of paths; 0 with one chunk.
    """

    constants: Mapping[int, float]
    errors: Mapping[int, float]

    def furthest(self, table: Mapping[int, float]) -> float:
        """Largest distance of a constant to its entry in ``table``."""
        return max(abs(constant - table[n]) for n, constant in self.constants.items())


def boundary(
    rng: np.random.Generator, paths: int, *, alpha: float, first: int, last: int = MOST_PAIRS
) -> Boundary:
    """Simulate the boundary of a one-sided sequential t test with linear error spending.

    The first look's constant is exact (a quantile of the t distribution); the others are means
    over chunks of paths.

    Args:
        rng: source of the differences.
        paths: null paths in all, rounded up to whole chunks of at most 250,000.
        alpha: error of all looks together.
        first: first look; it may spend what looks before it left, alpha * first / last.
        last: last look.
    """
    chunks = -(-paths // _CHUNK)
    size = -(-paths // chunks)
    found = np.array([_chunk(rng, size, alpha, first, last) for _ in range(chunks)])
    spread = found.std(axis=0, ddof=1) if chunks > 1 else np.zeros(found.shape[1])
    looks = range(first, last + 1)
    errors = spread / np.sqrt(chunks)
    return Boundary(
        dict(zip(looks, found.mean(axis=0).tolist(), strict=True)),
        dict(zip(looks, errors.tolist(), strict=True)),
    )


def _chunk(
    rng: np.random.Generator, paths: int, alpha: float, first: int, last: int
) -> list[float]:
    draws = rng.standard_normal((first - 1, paths))
    total, squares = draws.sum(axis=0), (draws * draws).sum(axis=0)
    spend = round(paths * alpha / last)
    constants = []
    for n in range(first, last + 1):
        draw = rng.standard_normal(len(total))
        total += draw
        squares += draw * draw
        t = total / np.sqrt(n * (squares - total * total / n) / (n - 1))
        constant = (
            float(stats.t.isf(alpha * first / last, n - 1)) if n == first else _upper(t, spend)
        )
        constants.append(constant)
        going = t <= constant
        total, squares = total[going], squares[going]
    return constants


def _upper(values: NDArray[np.float64], count: int) -> float:
    """Halfway between the ``count`` largest values and the rest."""
    place = len(values) - count
    parted = np.partition(values, (place - 1, place))
    return float(parted[place - 1] + parted[place]) / 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables beside the ones in use; 1 if a constant is off by more than 0.03."""
    parser = argparse.ArgumentParser(prog="python -m harness.gates.boundaries", description=__doc__)
    parser.add_argument("--paths", type=int, default=4_000_000, help="null paths to simulate")
    parser.add_argument("--seed", type=int, default=1, help="seed of the simulation")
    parser.add_argument("--holm", action="store_true", help="print the source of holm_table.py")
    chosen = parser.parse_args(arguments)
    if chosen.paths < 1000:  # noqa: PLR2004 - fewer leave no path in a tail of 0.0025
        parser.error("at least 1000 paths are needed")
    rng = np.random.default_rng(chosen.seed)
    if chosen.holm:
        sys.stdout.write(holm_source(rng, chosen.paths))
        return 0
    toward_pass = boundary(rng, chosen.paths, alpha=ALPHA_PASS, first=FIRST_PASS)
    toward_fail = boundary(rng, chosen.paths, alpha=ALPHA_FAIL, first=FIRST_FAIL)
    for name, found, table in (("cP", toward_pass, C_PASS), ("cF", toward_fail, C_FAIL)):
        sys.stdout.write(f"{name}   n  table  simulated\n")
        for n, constant in found.constants.items():
            sys.stdout.write(f"{n:6d}  {table[n]:5.2f}  {constant:.3f} +- {found.errors[n]:.3f}\n")
    furthest = max(toward_pass.furthest(C_PASS), toward_fail.furthest(C_FAIL))
    sys.stdout.write(f"furthest apart: {furthest:.3f}, allowed: {TOLERANCE}\n")
    return int(furthest > TOLERANCE)


def holm_source(rng: np.random.Generator, paths: int, tests: int = HOLM_TESTS) -> str:
    """Write the Python source of `harness.gates.holm_table`."""
    rows = []
    for k in range(1, tests + 1):
        level = boundary(rng, paths, alpha=ALPHA_PASS / k, first=FIRST_PASS)
        known = C_PASS if k == 1 else level.constants
        numbers = (f"{known[n]:.2f}" for n in range(FIRST_PASS, MOST_PAIRS + 1))
        rows.append(" ".join(numbers) + "\n")
    return _HOLM_HEAD + "".join(rows) + _HOLM_TAIL


_HOLM_HEAD = '''"""Constants toward PASS at level 0.05 / k, for k = 1, 2, ... tests judged together.

Written by ``python -m harness.gates.boundaries --holm``; not edited by hand. Rows are k, columns
are looks n = 5..20.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.gates.tables import FIRST_PASS

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROWS = """
'''
_HOLM_TAIL = '''"""

C_PASS_OF: Final[Mapping[int, Mapping[int, float]]] = MappingProxyType(
    {
        k: MappingProxyType(dict(enumerate(map(float, row.split()), FIRST_PASS)))
        for k, row in enumerate(_ROWS.strip().splitlines(), 1)
    }
)
'''


if __name__ == "__main__":
    raise SystemExit(main())
