from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.settings import TrainingSettings
from harness.training.sharing import size_of_share


@given(st.integers(1, 64), st.integers(1, 16))
def test_shares_of_all_ranks_are_the_batch(share, world):
    assert size_of_share(TrainingSettings(batch_size=share * world), world) == share


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(UsageError, match="a batch of 15 graphs cannot be shared by 2 ranks"):
        size_of_share(TrainingSettings(batch_size=15), 2)


def test_a_batch_cut_by_nodes_is_one_process_alone_can_have():
    settings = TrainingSettings(batch_size=16, batch_nodes=500)
    assert size_of_share(settings, 1) == 16
    with pytest.raises(UsageError, match="cut by their nodes"):
        size_of_share(settings, 2)
