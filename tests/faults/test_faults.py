"""After any fault, the command given again ends with the bits of an undisturbed campaign."""

from __future__ import annotations

import pytest

from tests.faults.bench import Bench
from tests.faults.drivers import Drivers
from tests.faults.outline import inject
from tests.faults.table import FAULTS, to_text

FAST = {"kill -9 of a trial"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    with Drivers(folder) as drivers:
        yield Bench(folder, drivers)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(one, id=one.name, marks=() if one.name in FAST else pytest.mark.slow)
        for one in FAULTS
    ],
)
def test_a_campaign_survives(bench, fault):
    row = inject(bench, fault, 1, seed=0, advance=lambda: None)
    if row.skipped:
        pytest.skip(row.skipped)
    assert row.injected
    assert not row.wrong, to_text([row])
