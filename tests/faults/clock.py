"""Steps of the wall clock during a campaign.

The harness measures durations by monotonic clocks. The wall clock is read by lr_finder, whose
cached rates expire, and by what torch starts ranks with. It is stepped by hours and days in every
process, at each reading of ``time.time``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.faults.bench import HERE, USUAL
from tests.faults.outline import Outcome, Seen, seen

if TYPE_CHECKING:
    from random import Random

    from tests.faults.bench import Bench

ASKED = replace(USUAL, features="lr_finder[steps=10]")


def step_clock(bench: Bench, draw: Random) -> Seen:
    """Step the clock all through a campaign with a cache that expires."""
    del draw
    out = bench.new_folder()
    words = bench.words(ASKED, out, plugins=[HERE / "clocked.py"])
    problems = bench.drivers.start(words).wait().problems([ASKED.code])
    problems = problems or bench.compare(ASKED, out, {})
    return seen(problems, Outcome.UNCHANGED)
