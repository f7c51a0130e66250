"""How many standard errors a look must lie beyond the margin.

One-sided group-sequential t tests with linear error spending: after look n, alpha * n / 20 of the
error is spent, so an early look needs a wide distance and a late one little more than a fixed
test. Toward PASS alpha is 0.05, looks from n = 5; toward FAIL it is 0.10, looks from n = 3.
`harness.gates.boundaries` computes these numbers, and a test holds the one against the other.

Source: Lan and DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70, 1983;
the constants are of the t statistic with its estimated variance, not of the normal limit.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_PAIRS: Final = 20
ALPHA_PASS: Final = 0.05
ALPHA_FAIL: Final = 0.10
FIRST_PASS: Final = 5
FIRST_FAIL: Final = 3

_PASS = (
    3.50, 3.57, 3.41, 3.22, 3.08, 2.94, 2.83, 2.74, 2.66, 2.59, 2.53, 2.47, 2.43, 2.38, 2.34, 2.30
)  # fmt: skip
_FAIL = (
    5.65, 4.62, 3.78, 3.29, 2.97, 2.77, 2.60, 2.48, 2.38, 2.29, 2.21, 2.15, 2.09, 2.03, 1.99, 1.94,
    1.90, 1.86,
)  # fmt: skip

C_PASS: Final[Mapping[int, float]] = MappingProxyType(dict(enumerate(_PASS, FIRST_PASS)))
C_FAIL: Final[Mapping[int, float]] = MappingProxyType(dict(enumerate(_FAIL, FIRST_FAIL)))
