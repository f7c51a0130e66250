"""All faults, and the table of what came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tabulate import tabulate

from tests.faults import (
    broken_trials,
    clock,
    corruption,
    disk,
    kills,
    memory,
    signals,
    two_drivers,
)
from tests.faults.outline import Fault, Outcome, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FAULTS: Final = (
    Fault("kill -9 of a trial", kills.kill_worker, share=0.4),
    Fault("kill -9 of a rank", kills.kill_rank, share=0.1),
    Fault("kill -9 of the driver", kills.kill_driver, share=0.4),
    Fault("kill -9 of the driver's group", kills.kill_group, share=0.1),
    Fault("SIGTERM or SIGINT of the driver", signals.stop_driver, times=8),
    Fault("no memory", memory.refuse_memory, times=2),
    Fault("full disk", disk.fill_disk, times=6),
    Fault("read-only store", disk.lock_disk, times=2),
    Fault("clock steps", clock.step_clock, times=2),
    Fault("two drivers, one killed", two_drivers.kill_one_of_two, times=8),
    Fault("hung trial", broken_trials.hang),
    Fault("hook that raises", broken_trials.raise_in_hooks),
    Fault("NaN loss", broken_trials.lose_the_loss, times=2),
    Fault("bit flip in result.json", corruption.flip_result, times=20),
    Fault("bit flip in gate.npz", corruption.flip_predictions, times=6),
    Fault("bit flip in metrics_history.csv", corruption.flip_history, times=6),
    Fault("bit flip in plan.json", corruption.flip_plan, times=20),
    Fault("bit flip in blocks, references", corruption.flip_record, times=12),
    Fault("bit flip in last.pt", corruption.flip_last, times=20),
    Fault("bit flip in best.pt", corruption.flip_best, times=4),
    Fault("bit flip in the packed data", corruption.flip_data, times=12),
    Fault("bit flip in cached rates, splits", corruption.flip_cache, times=12),
    Fault("trial folder without its result", corruption.lose_result, times=2),
)


def to_text(rows: Iterable[Row]) -> str:
    """The table as Markdown, and what was wrong below it."""
    rows = list(rows)
    lines = [
        [row.fault, row.skipped or row.injected, *(row.count(one) for one in Outcome)]
        for row in rows
    ]
    wrong = [
        f"{row.fault} ({one.where}): {problem}"
        for row in rows
        for one in row.seen
        for problem in one.problems
    ]
    headers = ["fault", "injected", *Outcome]
    shown = tabulate(lines, headers, tablefmt="github", disable_numparse=True)
    return "\n\n".join([shown, *wrong])


def to_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The same as JSON data, with every injection."""
    return [
        {
            "fault": row.fault,
            "injected": row.injected,
            "skipped": row.skipped,
            "outcomes": {one.value: row.count(one) for one in Outcome},
            "seen": [
                {
                    "outcome": one.outcome.value, "injected": one.injected, "where": one.where,
                    "problems": list(one.problems),
                }
                for one in row.seen
            ],
        }
        for row in rows
    ]  # fmt: skip


def chosen(names: Sequence[str]) -> tuple[Fault, ...]:
    """The faults whose name holds one of some texts; all where there is none."""
    return tuple(
        fault for fault in FAULTS if not names or any(name in fault.name for name in names)
    )
