"""Progress bars with an estimate, on standard error."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from harness.graphs.sources import Progress as BuildProgress
    from harness.result import EpochRecord


@contextmanager
def building(console: Console) -> Iterator[BuildProgress]:
    """A bar for each kind of work that is begun; gives the function that moves it."""
    tasks: dict[str, Any] = {}
    with _bar(console) as bar:

        def move(done: int, total: int, what: str) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total or None)
            bar.update(tasks[what], completed=done, total=total or None)

        yield move


@contextmanager
def epochs_bar(console: Console, epochs: int) -> Iterator[Callable[[EpochRecord], None]]:
    """A bar for the epochs of one run; gives the function that takes each epoch's record."""
    with _bar(console) as bar:
        task = bar.add_task("training", total=epochs)

        def advance(record: EpochRecord) -> None:
            shown = f"loss {record.train_loss:.3f}  select F1 {record.f1:.3f}"
            bar.update(task, completed=record.epoch + 1, description=shown)

        yield advance


@contextmanager
def counting(console: Console, total: int, what: str) -> Iterator[Callable[[], None]]:
    """A bar that goes to ``total``; gives the function that moves it by one."""
    with _bar(console) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
