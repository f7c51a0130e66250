from __future__ import annotations

import gc
import weakref

import pytest

from harness.cli.uncollected import uncollected


class Holder:
    """Something that can be watched."""


def test_the_collector_rests_and_comes_back_whatever_happens():
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), uncollected():
        _ = 1 / 0
    assert gc.isenabled()


def test_within_another_block_it_goes_on_resting():
    with uncollected():
        with uncollected():
            pass
        assert not gc.isenabled()


def test_what_is_in_no_cycle_is_freed_at_once():
    with uncollected():
        held = Holder()
        seen = weakref.ref(held)
        del held
        assert seen() is None
