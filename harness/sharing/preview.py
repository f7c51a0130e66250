"""What a run that shares its results would find done, without taking any of it over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.matrix.chosen import FAILURES, record_names
from harness.matrix.here import DataHere
from harness.matrix.judge import Judge
from harness.matrix.results import Results
from harness.matrix.store import Store
from harness.sharing.exchange import Exchange

if TYPE_CHECKING:
    from pathlib import Path

    from harness.matrix.ablation import Ablation
    from harness.sharing.objects import Objects


def preview(ablation: Ablation, objects: Objects, scratch: Path) -> tuple[Ablation, list[str]]:
    """An ablation whose store holds what this machine has and what the others found.

    Args:
        ablation: of this machine; its store is read alone.
        objects: where the machines share their results.
        scratch: an empty folder, of which the store is made; this machine's trials are links in it.

    Returns:
        The ablation, and a sentence for each of the others' trials that is not believed.

    Raises:
        StoreError: if the objects cannot be reached, or a stored record is damaged.
        OSError: if the disk is full.
    """
    plan, here, store = ablation.plan, ablation.store, Store(scratch)
    for key in filter(here.finished, plan.trials):
        link = store.trial(key)
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(here.trial(key).absolute(), target_is_directory=True)
    for part, name in record_names(plan):
        record = None if part == FAILURES else here.read(part, name)
        if record is not None:
            store.keep(part, name, record)
    results = ablation.judge.results
    exchange = Exchange(objects, store, plan, DataHere.of(results).truth)
    exchange.pull_trials(all_of_them=True)
    exchange.pull_records()
    judge = Judge(plan, store, Results(store, results.folders))
    return replace(ablation, store=store, judge=judge), list(exchange.refused.values())
