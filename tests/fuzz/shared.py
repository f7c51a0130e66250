"""Targets that are shared results: what other machines left below a URL."""

from __future__ import annotations

import shutil
import socket
from typing import TYPE_CHECKING

from harness.errors import StoreError
from harness.files import write_whole
from harness.graphs.dataset import open_folder
from harness.matrix.here import DataHere
from harness.matrix.store import Store
from harness.sharing.claims import Claims, Owner
from harness.sharing.exchange import Exchange
from harness.sharing.mirror import FOLDER, checked_mirror
from harness.sharing.objects import Objects
from harness.training.checkpoint import LAST
from tests.fuzz.made_up import make_store
from tests.fuzz.mutate import mutate_bytes, mutate_json, mutate_zip
from tests.fuzz.target import Prepared, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harness.matrix.planned import Plan
    from tests.fuzz.mutate import Mutator

_DAMAGE: Mapping[str, Mutator] = {
    "trials": mutate_zip, "work": mutate_zip, "index": mutate_bytes, "plans": mutate_json,
    "claims": mutate_json, "blocks": mutate_json, "references": mutate_json,
    "failures": mutate_json,
}  # fmt: skip


def _give_away(folder: Path) -> tuple[Plan, Callable[[Store], Exchange], str]:
    """Share a made-up store; gives its plan, what makes another machine's exchange, and the URL."""
    plan = make_store(folder)
    graphs = open_folder(folder / "data")
    truth = DataHere({}, {graphs.content: graphs}).truth
    url = (folder / "shared").as_uri()

    def exchange(store: Store) -> Exchange:
        return Exchange(Objects(url), store, plan, truth)

    ours = exchange(Store(folder / "out"))
    ours.push_trials()
    ours.push_records()
    ours.push_plan("cpu")
    missing = next(key for key in plan.trials if not ours.store.finished(key))
    write_whole(ours.store.work(missing) / LAST, b"state")
    ours.push_work([missing])
    Claims(ours.objects, Owner(socket.gethostname(), 1, "another")).take(missing)
    return plan, exchange, url


def _files(folder: Path, *parts: str) -> Mapping[Path, Mutator]:
    """Two of each kind, the first and the last."""
    found: dict[Path, Mutator] = {}
    for part in parts:
        paths = sorted((folder / "shared" / part).iterdir())
        found |= {paths[0]: _DAMAGE[part], paths[-1]: _DAMAGE[part]}
    return found


def _exchange(folder: Path) -> Prepared:
    plan, exchange, url = _give_away(folder)
    files = _files(folder, "trials", "work", "index", "claims", "blocks", "references", "failures")

    def read() -> None:
        ours = exchange(Store(folder / "ours"))
        try:
            ours.pull_trials(all_of_them=True)
            ours.pull_records()
            Claims(Objects(url)).look()
            for key in plan.trials:
                if not ours.store.finished(key):
                    ours.pull_work(key)
        finally:
            shutil.rmtree(folder / "ours", ignore_errors=True)
        for what in ours.refused.values():
            raise StoreError(what)  # one is enough to count as refused

    return Prepared(files, read)


def _mirror(folder: Path) -> Prepared:
    _, _, url = _give_away(folder)

    def read() -> None:
        try:
            checked_mirror(url, folder / "data")
        finally:
            shutil.rmtree(folder / FOLDER, ignore_errors=True)

    return Prepared(_files(folder, "plans", "trials", "blocks"), read)


TARGETS = (Target("exchange", _exchange), Target("mirror", _mirror))
