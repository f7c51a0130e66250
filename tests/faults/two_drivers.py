"""Two drivers on one store, started together, of which one is killed."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from tests.faults import evidence
from tests.faults.bench import TIMED, USUAL
from tests.faults.drivers import wait_until
from tests.faults.outline import Outcome, Seen, seen

if TYPE_CHECKING:
    from random import Random

    from tests.faults.bench import Bench


def kill_one_of_two(bench: Bench, draw: Random) -> Seen:
    """Kill one of two that share a store, or neither; the other ends as if it had been alone."""
    question = draw.choice([USUAL, TIMED])
    out = bench.new_folder()
    place = draw.randrange(len(bench.undisturbed(question).findings))
    both = [bench.start(question, out) for _ in range(2)]
    wait_until(lambda: evidence.count(out) >= place or not both[0].runs(), "no trial ends")
    time.sleep(draw.uniform(0, 1))
    before = evidence.finished(out)
    killed = draw.random() < 0.75
    if killed:
        both[0].send(signal.SIGKILL)
    codes = [-signal.SIGKILL, question.code] if killed else [question.code]
    problems = both[0].wait().problems(codes)
    problems += both[1].wait().problems([question.code])
    problems += evidence.lost(before, out)
    problems = problems or bench.go_on(question, out, before)
    return seen(problems, Outcome.RETRAINED, where="one killed" if killed else "neither killed")
