"""A campaign of one machine among several that share their results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.matrix.events import BlockTimed, Said
from harness.matrix.here import DataHere
from harness.sharing.claims import Claims
from harness.sharing.exchange import Exchange
from harness.sharing.executor import SharedExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.matrix.ablation import Ablation
    from harness.matrix.events import Event
    from harness.matrix.executor import Executor
    from harness.sharing.objects import Objects


def run_shared(
    ablation: Ablation, objects: Objects, kind: str, listen: Callable[[Event], None],
    executor: Executor | None = None,
) -> Exchange:  # fmt: skip
    """Run what the plan needs and neither the store nor the others have.

    Args:
        ablation: of this machine.
        objects: where the machines share their results.
        kind: of the hardware that trials run on; by its name the plan is found again.
        listen: told of everything that happens.
        executor: runs the trials; None for this machine's own.

    Returns:
        What brings results out, for the report that follows.

    Raises:
        StoreError: if a stored result is damaged, or the objects cannot be reached at the
            beginning or at the end.
        OSError: if the store cannot be written.
    """
    data = DataHere.of(ablation.judge.results)
    exchange = Exchange(objects, ablation.store, ablation.plan, data.truth)
    exchange.pull_trials(all_of_them=True)
    exchange.pull_records()
    exchange.push_plan(kind)

    def hear(event: Event) -> None:
        if isinstance(event, BlockTimed):
            exchange.push_record("blocks", event.cell.timing)
        listen(event)

    inner = ablation.local() if executor is None else executor
    shared = SharedExecutor(inner, exchange, Claims(objects), lambda text: listen(Said(text)))
    for what in exchange.refused.values():
        listen(Said(f"not taken over: {what}"))
    ablation.run(hear, shared)
    exchange.push_trials()
    exchange.push_records()
    return exchange
