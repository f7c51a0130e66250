"""What every feature is held to, for its authors.

In a test of your own package, with pytest or without::

    import pytest
    from harness.testing import CLAUSES, check_feature

    @pytest.mark.parametrize("clause", CLAUSES)
    def test_contract(clause):
        check_feature("my_feature[steps=4]", clauses=[clause])
"""

from harness.testing.bits import differences
from harness.testing.case import Case, ContractError, make_case
from harness.testing.contract import CLAUSES, check_feature, check_pair
from harness.testing.data import planted_graphs

__all__ = [
    "CLAUSES", "Case", "ContractError", "check_feature", "check_pair", "differences", "make_case",
    "planted_graphs",
]  # fmt: skip
