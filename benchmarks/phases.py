"""Where the time of an engine's epoch goes: collation, forward, backward, clipping, optimizer."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import torch
from tabulate import tabulate
from torch import nn
from torch.profiler import ProfilerActivity, profile

from harness.training import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.training.fit import FitSession

REST = "the rest"
EVALUATION = "evaluation"


class PhaseClock:
    """CPU seconds by phase. Of phases within each other the outermost counts.

    Args:
        clock: CPU seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._clock = clock
        self._inside = False

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what the block takes."""
        if self._inside:
            yield
            return
        self._inside, start = True, self._clock()
        try:
            yield
        finally:
            self._inside = False
            self.seconds[name] += self._clock() - start

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with each of its calls counted."""

        def counted(*arguments: Any, **named: Any) -> Any:
            with self.phase(name):
                return call(*arguments, **named)

        return counted

    def drawn(self, name: str, call: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """The generator function, with the making of each item counted, and not its use."""

        def counted(*arguments: Any) -> Iterator[Any]:
            items = call(*arguments)
            while True:
                with self.phase(name):
                    item = next(items, self)
                if item is self:
                    return
                yield item

        return counted


def phases_of(session: FitSession, epochs: int) -> dict[str, float]:
    """CPU seconds of each phase of an epoch, the mean over some, after one that is discarded.

    ``the rest`` is what no phase claims: the loop itself, its sums, and the order of the graphs.
    """
    session.run_epoch()
    clock, run = PhaseClock(), session.run
    with ExitStack() as stack:

        def watch(owner: object, name: str, phase: str) -> None:
            counted = clock.timed(phase, getattr(owner, name))
            stack.enter_context(mock.patch.object(owner, name, counted))

        watch(run, "forward", "forward")
        watch(torch.autograd, "backward", "backward")
        watch(nn.utils, "clip_grad_norm_", "clipping")
        watch(run.optimizer, "step", "optimizer")
        watch(run.optimizer, "zero_grad", "optimizer")
        watch(fit, "score", EVALUATION)
        watch(fit, "select_metrics", EVALUATION)
        collate = clock.drawn("collation", run.batches)
        stack.enter_context(mock.patch.object(run, "batches", collate))
        start = time.process_time()
        for _ in range(epochs):
            session.run_epoch()
        total = time.process_time() - start
    found = dict(sorted(clock.seconds.items(), key=lambda item: -item[1]))
    found[REST] = total - sum(found.values())
    return {phase: seconds / epochs for phase, seconds in found.items()}


def phase_table(cells: Mapping[str, Mapping[str, float]], steps: int) -> str:
    """Phases by cell as a Markdown table: milliseconds by step, and the share of the epoch.

    Args:
        cells: seconds an epoch by phase, by the cell's name.
        steps: training steps an epoch.
    """
    names = dict.fromkeys(name for phases in cells.values() for name in phases)
    lines = []
    for name in [*(name for name in names if name != REST), REST]:
        line = [name]
        for phases in cells.values():
            seconds = phases.get(name, 0.0)
            line.append(f"{1e3 * seconds / steps:.2f} ({seconds / sum(phases.values()):.0%})")
        lines.append(line)
    whole = (f"{1e3 * sum(phases.values()) / steps:.2f}" for phases in cells.values())
    lines.append(["together", *whole])
    headers = ["ms a training step", *cells]
    return tabulate(lines, headers, tablefmt="github", disable_numparse=True)


def operators(session: FitSession, rows: int) -> str:
    """The operators that take most CPU time of an epoch of their own, as torch's profiler sees."""
    session.run_epoch()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        session.run_epoch()
    averages = profiler.key_averages()
    return str(averages.table(sort_by="self_cpu_time_total", row_limit=rows))
