"""SIGTERM and SIGINT of the driver in the middle of a campaign."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from harness.matrix.planned import PLAN_FILE
from tests.faults import evidence, processes
from tests.faults.bench import TIMED, USUAL
from tests.faults.drivers import wait_until
from tests.faults.outline import Outcome, Seen, seen

if TYPE_CHECKING:
    from random import Random

    from tests.faults.bench import Bench

STOPPED = "run the same command to go on"


def stop_driver(bench: Bench, draw: Random) -> Seen:
    """Ask the driver, or as a terminal does its whole group, to end; it says how to go on."""
    number = draw.choice([signal.SIGTERM, signal.SIGINT])
    group = draw.random() < 0.5
    question = draw.choice([USUAL, USUAL, TIMED])
    out = bench.new_folder()
    place = draw.randrange(len(bench.undisturbed(question).findings))
    driver = bench.start(question, out, cold=group)
    # Before there is a plan, Python itself may still be starting.
    begun = out / PLAN_FILE
    wait_until(
        lambda: (begun.exists() and evidence.count(out) >= place) or not driver.runs(),
        "no trial ends",
    )
    time.sleep(draw.uniform(0, 1))
    stopped = driver.runs()
    driver.send(number, group=group)
    ended = driver.wait()
    problems = []
    # It may have ended by itself in that moment.
    if stopped and ended.code != question.code:
        problems = ended.problems([128 + number], STOPPED)
    wait_until(lambda: not processes.workers(out), "trials outlive their driver")
    before = evidence.finished(out)
    problems = problems or bench.go_on(question, out, before)
    where = f"{number.name}{' to the group' if group else ''}"
    return seen(problems, Outcome.RETRAINED, int(stopped), where)
