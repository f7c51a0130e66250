from __future__ import annotations

import pytest

from harness.feature import FEATURES
from harness.testing import ContractError, check_feature


@pytest.fixture
def registered(monkeypatch):
    """Make features known for the length of a test; gives the first of them."""

    def add(*kinds):
        for kind in kinds:
            monkeypatch.setitem(FEATURES._entries, kind.name, kind)
        return kinds[0]

    return add


@pytest.fixture
def refused():
    """Check that a clause, and that one, refuses a feature."""

    def check(clause, feature, message):
        with pytest.raises(ContractError, match=message) as caught:
            check_feature(feature, models=["gin"], clauses=[clause])
        assert caught.value.clause == clause
        assert clause in str(caught.value)
        assert caught.value.mend

    return check
