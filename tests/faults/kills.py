"""kill -9 of a trial, of a rank of ddp, of the driver, and of the driver's whole process group."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from harness.errors import ExitCode
from tests.faults import evidence, processes
from tests.faults.bench import SHARED, TIMED, USUAL
from tests.faults.drivers import wait_until
from tests.faults.outline import Outcome, Seen, seen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from tests.faults.bench import Bench, Question
    from tests.faults.drivers import Driver

_A_TRIAL = 1.0
"""Seconds that a trial takes, or longer; how far a kill waits into the next one."""
_ON_ONE_STORE = 3


def kill_driver(bench: Bench, draw: Random) -> Seen:
    """Kill the driver at some points of a campaign, again and again, and run it to its end."""
    question = draw.choice([USUAL, USUAL, USUAL, TIMED])
    return _kill_drivers(bench, draw, question, times=_ON_ONE_STORE)


def kill_group(bench: Bench, draw: Random) -> Seen:
    """Kill the driver, its fork server and all trials at once."""
    return _kill_drivers(bench, draw, USUAL, times=1, group=True)


def _kill_drivers(
    bench: Bench, draw: Random, question: Question, *, times: int, group: bool = False
) -> Seen:
    out = bench.new_folder()
    trials = len(bench.undisturbed(question).findings)
    killed, problems = 0, []
    before: evidence.Finished = {}
    for place in sorted(draw.sample(range(trials), min(times, trials))):
        driver = bench.start(question, out, cold=group)
        _wait_for(out, place, driver)
        time.sleep(draw.uniform(0, _A_TRIAL))
        killed += driver.runs()
        driver.send(signal.SIGKILL, group=group)
        ended = driver.wait()
        problems += ended.problems([-signal.SIGKILL, question.code])
        wait_until(lambda: not processes.workers(out), "trials outlive their driver")
        problems += [*evidence.lost(before, out), *evidence.half_written(out)]
        before |= evidence.finished(out)
    problems = problems or bench.go_on(question, out, before)
    return seen(problems, Outcome.RETRAINED, killed, question.features)


def _wait_for(out: Path, trials: int, driver: Driver) -> None:
    """Wait until so many trials are finished, or the driver has ended."""
    wait_until(lambda: evidence.count(out) >= trials or not driver.runs(), "no trial ends")


def kill_worker(bench: Bench, draw: Random) -> Seen:
    """Kill trials at some points; the campaign tries each again, and goes on by itself."""
    return _kill_in(bench, draw, USUAL, processes.workers, times=_ON_ONE_STORE)


def kill_rank(bench: Bench, draw: Random) -> Seen:
    """Kill one of the processes that train a trial together."""
    return _kill_in(bench, draw, SHARED, processes.ranks, times=1)


def _kill_in(
    bench: Bench, draw: Random, question: Question, victims: Callable[[Path], list[int]],
    times: int,
) -> Seen:  # fmt: skip
    out = bench.new_folder()
    trials = len(bench.undisturbed(question).findings)
    driver = bench.start(question, out)
    killed = 0
    before: evidence.Finished = {}
    for place in sorted(draw.sample(range(trials), min(times, trials))):
        _wait_for(out, place, driver)
        time.sleep(draw.uniform(0, _A_TRIAL))
        wait_until(lambda: victims(out) or not driver.runs(), "there is nothing to kill")
        before |= evidence.finished(out)
        for victim in draw.sample(found, 1) if (found := victims(out)) else ():
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                killed += 1
    ended = driver.wait()
    # A trial that was killed as often as it is tried is said to be not measured.
    gave_up = ended.code == ExitCode.NOT_MEASURED
    problems = ended.problems(
        [question.code, ExitCode.NOT_MEASURED], *(["killed by SIGKILL"] if gave_up else [])
    )
    problems = problems or bench.go_on(question, out, before)
    return seen(problems, Outcome.RETRAINED, killed, question.features)
