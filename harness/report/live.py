"""What a campaign shows while it runs: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness.gates.words import Verdict
from harness.matrix.events import BlockTimed, Judged, Said, TrialEnded, TrialStarted, Waiting
from harness.report.console import STYLES
from harness.report.rows import points, said

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.console import Console

    from harness.gates.cell import Cell
    from harness.gates.sequential import Decision
    from harness.matrix.events import Event
    from harness.matrix.planned import Plan

_EXPECTED_PAIRS = 8
"""Of a feature, before any is done: most fail, on one model, after about so many."""


_QUIET = ("finished", "cancelled")
_WHY = {"damaged": " (its checkpoint cannot be read and was removed; it begins anew)"}


class Watch:
    """Counts what happens and estimates what remains.

    Args:
        plan: what is being done.
        jobs: trials at once.
        clock: wall seconds.
    """

    def __init__(self, plan: Plan, jobs: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.plan, self.jobs, self.clock = plan, jobs, clock
        self.start = clock()
        self.ended = self.failed = 0
        self._under_way: set[str] = set()
        self.seconds: list[float] = []
        self.judged: dict[str, Judged] = {}
        self.blocks: dict[str, str] = {}
        self.doing = "training"

    @property
    def running(self) -> int:
        """Trials under way on this machine."""
        return len(self._under_way)

    def hear(self, event: Event) -> None:
        """Take an event in."""
        match event:
            case TrialStarted(spec=spec):
                self._under_way.add(spec.key)
            case TrialEnded(outcome=outcome):
                # A result that another machine found has not begun here.
                self._under_way.discard(outcome.key)
                if outcome.status == "cancelled":
                    return
                self.ended += outcome.status == "finished"
                self.failed += outcome.status != "finished"
                self.seconds.append(outcome.seconds)
            case Judged():
                self.judged[event.feature.name] = event
            case BlockTimed():
                self.doing = "timing"
                self.blocks[event.feature.name] = f"{event.cell.model}: {event.blocks} blocks"
            case Waiting():
                self.doing = "waiting for the machine"
            case Said():
                pass

    def remaining(self) -> float | None:
        """Seconds that training will probably still take; None before the first trial."""
        if not self.seconds:
            return None
        done = [one.pairs for one in self.judged.values() if one.done]
        expected = statistics.fmean(done) if done else _EXPECTED_PAIRS
        # Baseline runs are shared, so that a pair mostly is one more trial.
        trials = sum(max(expected - one.pairs, 1) for one in self.judged.values() if not one.done)
        return trials * statistics.median(self.seconds) / self.jobs

    def status(self) -> str:
        """One line: what is going on."""
        elapsed = _minutes(self.clock() - self.start)
        left = self.remaining() if self.doing == "training" else None
        about = "" if left is None else f", about {_minutes(left)} more"
        failed = f", {self.failed} failed" if self.failed else ""
        return (
            f"{self.doing}: {self.ended} trials done{failed}, {self.running} running, "
            f"{elapsed} elapsed{about}"
        )


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min"


def _cell_text(cell: Cell) -> Text:
    result = cell.f1
    if result is None or result.decision.mean is None:
        return Text("...", style="dim")
    text = f"{points(result.decision.mean)} {pairs_of(result.decision)}"
    return Text(text, style=STYLES[cell.verdict])


def pairs_of(decision: Decision) -> str:
    """Pairs that were looked at, and of how many where more are needed: ``n=5/9``."""
    if not decision.open:
        return f"n={decision.n}"
    needed = decision.n + decision.more if decision.more else decision.budget
    return f"n={decision.n}/{min(needed, decision.budget)}"


class LiveView:
    """A table that fills with verdicts."""

    def __init__(self, watch: Watch, console: Console) -> None:
        self._watch = watch
        # Drawn anew by the clock too, so that the time goes on between two events.
        self._live = Live(
            console=console, get_renderable=self._table, refresh_per_second=2, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        self._watch.hear(event)
        self._live.refresh()

    def _table(self) -> Table:
        watch = self._watch
        table = Table(caption=watch.status(), caption_justify="left", box=None, padding=(0, 1))
        table.add_column("feature", overflow="fold", max_width=22)
        for model in watch.plan.models:
            table.add_column(model, no_wrap=True)
        table.add_column("verdict", no_wrap=True)
        for planned in watch.plan.features:
            judged = watch.judged.get(planned.name)
            cells = {} if judged is None else {c.key.model: c for c in judged.verdict.cells}
            row = [
                _cell_text(cells[model]) if model in cells else Text("...", style="dim")
                for model in watch.plan.models
            ]
            table.add_row(Text(planned.name), *row, self._word(planned.name, judged))
        return table

    def _word(self, name: str, judged: Judged | None) -> Text:
        if judged is None or not judged.done:
            return Text("training" if judged and judged.pairs else "", style="dim")
        word = judged.verdict.verdict
        if word is not Verdict.FAIL and name in self._watch.blocks:
            return Text(self._watch.blocks[name], style="dim")
        if word is Verdict.INCONCLUSIVE:
            return Text("to be timed", style="dim")
        return Text(said(word), style=STYLES[word])


class PlainView:
    """A line when something is decided, and one a minute: for logs and pipes."""

    def __init__(self, watch: Watch, console: Console, every: float = 60.0) -> None:
        self._watch, self._console, self._every = watch, console, every
        self._last = watch.clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put back."""

    def __call__(self, event: Event) -> None:
        """Say what matters of an event."""
        watch = self._watch
        watch.hear(event)
        match event:
            case Judged(done=True):
                word = event.verdict.verdict
                why = "; ".join(event.verdict.reasons) or event.verdict.sentence
                self._line(f"{event.feature.name}: {said(word)} ({why})")
            case TrialEnded(spec=spec, outcome=outcome) if outcome.status not in _QUIET:
                self._line(f"{outcome.status}: {spec}{_WHY.get(outcome.status, '')}")
            case BlockTimed():
                pass
            case Said(text=text):
                self._line(text)
        if watch.clock() - self._last >= self._every:
            self._last = watch.clock()
            self._line(watch.status())

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
