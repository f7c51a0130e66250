"""The contract, as a package of your own runs it: ``pytest`` in this folder."""

from __future__ import annotations

import pytest

from harness.testing import CLAUSES, check_feature


@pytest.mark.parametrize("clause", CLAUSES)
def test_contract(clause: str) -> None:
    """One test for each clause."""
    check_feature("label_smoothing", clauses=[clause])
